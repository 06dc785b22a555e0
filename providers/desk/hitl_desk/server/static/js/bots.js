/** The page of connected bots: who may hand over, and what became of their webhooks. */

import { loadBots, loadDeliveries, loadMe, replayDelivery, switchBot } from "./api.js";
import { avatar } from "./avatar.js";
import { byId, fill, h, icon, reconcile } from "./dom.js";
import { refreshTimes, timeElement } from "./time.js";
import { toast } from "./toast.js";

const DELIVERY_NAMES = { pending: "Waiting", delivered: "Delivered", failed: "Failed", discarded: "Not sent" };
const REFRESH_EVERY = 20_000;

let bots = [];
const unfolded = new Map();

function failed(error) {
  byId("bots-error").hidden = !error;
  byId("bots-error").textContent = error?.message ?? "";
}

async function toggle(bot, box) {
  box.disabled = true;
  try {
    const changed = await switchBot(bot.id, box.checked);
    bots = bots.map((one) => (one.id === bot.id ? { ...one, ...changed } : one));
    toast(`${bot.name} is switched ${changed.enabled ? "on" : "off"}`);
  } catch (error) {
    box.checked = bot.enabled;
    toast(error.message, "error");
  }
  box.disabled = false;
  render();
}

async function replay(bot, delivery, button) {
  button.disabled = true;
  try {
    await replayDelivery(delivery.id);
    toast("Sent again; the outcome shows here in a moment");
    await unfold(bot);
  } catch (error) {
    toast(error.message, "error");
    button.disabled = false;
  }
}

async function unfold(bot) {
  unfolded.set(bot.id, { phase: "loading", rows: [] });
  render();
  try {
    unfolded.set(bot.id, { phase: "ready", rows: await loadDeliveries(bot.id) });
  } catch (error) {
    unfolded.set(bot.id, { phase: error.message, rows: [] });
  }
  render();
}

function deliveryLine(bot, delivery) {
  const again = h("button", { type: "button", class: "button button-small", dataset: { testid: "delivery-replay" }, onclick: () => replay(bot, delivery, again) }, icon("retry"), "Send again");
  return h("tr", null,
    h("td", null, timeElement(delivery.created_at, "moment")),
    h("td", null, h("code", null, delivery.type)),
    h("td", null, h("span", { class: `badge badge-delivery-${delivery.status}` }, DELIVERY_NAMES[delivery.status] ?? delivery.status)),
    h("td", { class: "number" }, delivery.attempts),
    h("td", { class: "number" }, delivery.last_status ?? "–", delivery.last_error ? h("span", { class: "delivery-error" }, delivery.last_error) : null),
    h("td", { class: "actions" }, again));
}

function deliveries(bot) {
  const { phase, rows } = unfolded.get(bot.id);
  if (phase === "loading") return h("p", { class: "muted" }, "Loading…");
  if (phase !== "ready") return h("p", { class: "notice notice-error", role: "alert" }, phase);
  if (rows.length === 0) return h("p", { class: "muted" }, "Nothing was posted to this bot lately. Bots without a webhook endpoint fetch their events themselves.");
  const head = ["When", "Event", "State", "Attempts", "Last answer"].map((name) => h("th", { scope: "col" }, name));
  return h("div", { class: "table-scroll" }, h("table", { class: "table table-small" },
    h("caption", { class: "sr-only" }, `Webhook deliveries to ${bot.name}`),
    h("thead", null, h("tr", null, head, h("th", { scope: "col" }, h("span", { class: "sr-only" }, "Action")))),
    h("tbody", null, rows.map((delivery) => deliveryLine(bot, delivery)))));
}

function botLine(bot) {
  const box = h("input", {
    type: "checkbox", class: "switch", role: "switch", checked: bot.enabled, "aria-label": `${bot.name} is connected`,
    dataset: { testid: "bot-toggle", botId: bot.id, focusKey: "toggle" }, onchange: () => toggle(bot, box),
  });
  const open = unfolded.has(bot.id);
  const more = h("button", {
    type: "button", class: "button button-small", "aria-expanded": String(open), dataset: { testid: "bot-deliveries", focusKey: "more" },
    onclick: () => {
      if (!unfolded.delete(bot.id)) void unfold(bot);
      else render();
    },
  }, open ? "Hide deliveries" : "Deliveries");
  return h("tr", { dataset: { testid: "bot-row", botId: bot.id } },
    h("th", { scope: "row" }, h("span", { class: "bot-name" }, avatar(bot, { size: "small", role: "bot" }), bot.name)),
    h("td", null, h("label", { class: "switch-cell" }, box, h("span", null, bot.enabled ? "On" : "Off"))),
    h("td", { dataset: { label: "Last seen" } }, timeElement(bot.last_seen_at, "ago") ?? "Never"),
    h("td", { dataset: { label: "Since" } }, timeElement(bot.created_at, "date")),
    h("td", { class: "actions" }, more));
}

function render() {
  if (bots.length === 0) {
    fill(byId("bots-frame"), h("div", { class: "empty" }, icon("bot"), h("p", { class: "empty-title" }, "No bot is connected yet"),
      h("p", null, "Connect one with ", h("code", null, "hitl desk create-bot"), ", then give it the token.")));
    return;
  }
  const items = bots.flatMap((bot) => {
    const line = { key: bot.id, sign: JSON.stringify([bot, unfolded.has(bot.id)]), build: () => botLine(bot) };
    if (!unfolded.has(bot.id)) return [line];
    return [line, { key: `${bot.id}-more`, sign: JSON.stringify(unfolded.get(bot.id)), build: () => h("tr", { class: "unfolded" }, h("td", { colspan: "5" }, deliveries(bot))) }];
  });
  reconcile(byId("bots"), items);
}

async function load() {
  try {
    bots = await loadBots();
    failed(null);
    render();
  } catch (error) {
    failed(error);
  }
}

async function start() {
  try {
    await loadMe();
  } catch (error) {
    failed(error);
    return;
  }
  await load();
  setInterval(() => {
    refreshTimes();
    if (document.visibilityState === "visible" && bots.length > 0) void load();
  }, REFRESH_EVERY);
}

void start();

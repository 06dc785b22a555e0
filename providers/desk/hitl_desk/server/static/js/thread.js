/** The conversation: what the bot and the customer said, the hand-over, then everything since. */

import { editMessage, reloadThread } from "./actions.js";
import { byId, fill, h, icon, reconcile } from "./dom.js";
import { confirm } from "./dialogs.js";
import { authorName, editLine, messageLine, roleOf, showDelivery, transcriptLine, unsentLine } from "./message_view.js";
import * as outbox from "./outbox.js";
import { colleaguesTyping, customerTyping } from "./presence.js";
import { Scroller } from "./scroller.js";
import { store } from "./store.js";
import { renderHead } from "./thread_head.js";
import { day, dayKey, timeElement } from "./time.js";

const GROUP_WITHIN = 5 * 60_000;
const TRANSCRIPT_SHOWN = 20;

let scroller = null;
let takeBack = null;
let shownTicket = null;
let editing = null;
let wholeTranscript = false;

function follows(before, at, author) {
  if (!before || roleOf(before.author) !== roleOf(author) || authorName(before.author) !== authorName(author)) return false;
  return Date.parse(at) - Date.parse(before.at) < GROUP_WITHIN && dayKey(at) === dayKey(before.at);
}

function transcript() {
  const { transcript: entries, ticket } = store.open;
  const hidden = wholeTranscript ? 0 : Math.max(0, entries.length - TRANSCRIPT_SHOWN);
  const shown = entries.slice(hidden);
  const lines = shown.map((entry, index) => {
    const before = index > 0 ? { author: shown[index - 1].author, at: shown[index - 1].sent_at } : null;
    return transcriptLine(entry, follows(before, entry.sent_at, entry.author));
  });
  const more = hidden > 0
    ? h("button", { type: "button", class: "link-button transcript-more", onclick: () => {
      wholeTranscript = true;
      scroller.keepPlace(render);
    } }, `Show ${hidden} earlier message${hidden === 1 ? "" : "s"}`)
    : null;
  return h("section", { class: "transcript", dataset: { testid: "transcript" }, "aria-label": "Conversation with the bot before the hand-over" },
    h("h3", { class: "transcript-title" }, icon("bot"), `With ${ticket.bot?.name ?? "the bot"}`, timeElement(entries[0]?.sent_at, "moment", "transcript-when")),
    entries.length === 0 ? h("p", { class: "muted transcript-none" }, "The bot sent no earlier messages.") : null,
    more, h("ol", { class: "lines" }, lines));
}

function handover() {
  const { ticket } = store.open;
  return h("div", { class: "handover", dataset: { testid: "handover-line" } },
    h("span", { class: "handover-line" }, icon("handover"),
      h("span", null, h("strong", null, ticket.bot?.name ?? "The bot"), " handed over · ", timeElement(ticket.created_at, "moment"))),
    ticket.reason ? h("span", { class: "handover-reason" }, h("span", { class: "handover-label" }, "Reason: "), ticket.reason) : null);
}

function separator(className, text) {
  return h("li", { class: className }, h("span", null, text));
}

async function remove(message) {
  const note = message.kind === "note";
  const sure = await confirm(note ? "Delete this note?" : "Take this message back?", note ? "It disappears for all agents." : "The bot is told to remove it for the customer.", note ? "Delete" : "Take back");
  if (sure) await editMessage(store.open.id, message, null);
}

function edit(message) {
  editing = message.id;
  render();
  byId("thread-content").querySelector(".edit-text")?.focus();
}

function stopEditing() {
  editing = null;
  render();
}

async function save(message, text) {
  const { id } = store.open;
  if (await editMessage(id, message, text)) stopEditing();
}

function lineItems() {
  const { messages, ticket, newFrom, id } = store.open;
  const items = [];
  let before = null;
  let lastDay = dayKey(ticket.created_at);
  for (const message of messages) {
    const at = message.created_at;
    if (dayKey(at) !== lastDay) {
      lastDay = dayKey(at);
      items.push({ key: `day-${lastDay}`, sign: day(at), build: () => separator("day", day(at)) });
      before = null;
    }
    if (message.seq === newFrom) {
      items.push({ key: "new", sign: "", build: () => separator("new-line", "New") });
      before = null;
    }
    const grouped = message.kind !== "system" && before?.kind === message.kind && follows(before, at, message.author);
    const isEdited = editing === message.id;
    items.push({
      key: message.id,
      sign: JSON.stringify([{ ...message, delivery: null }, grouped, isEdited]),
      build: () => isEdited
        ? editLine(message, { onSave: (text) => save(message, text), onCancel: stopEditing })
        : messageLine(message, { grouped, onEdit: () => edit(message), onDelete: () => remove(message) }),
      refresh: (element) => showDelivery(element, message.delivery),
    });
    before = message.kind === "system" ? null : { kind: message.kind, author: message.author, at };
  }
  for (const entry of outbox.unsent(id)) {
    if (messages.some((message) => message.client_ref === entry.ref)) continue;
    const grouped = before?.kind === (entry.kind === "note" ? "note" : "message") && follows(before, entry.at, { ...store.me, role: "agent" });
    items.push({
      key: `unsent-${entry.ref}`,
      sign: JSON.stringify([entry.state, entry.error, grouped]),
      build: () => unsentLine(entry, { grouped, onRetry: () => outbox.retry(entry.ref), onDiscard: () => takeBack(entry) }),
    });
    before = null;
  }
  return items;
}

function renderContent() {
  const { phase, error, ticket, transcript: entries } = store.open;
  const content = byId("thread-content");
  if (phase !== "ready") {
    const failed = phase === "failed";
    reconcile(content, [{
      key: phase,
      sign: error,
      build: () => failed
        ? h("div", { class: "empty" }, icon("alert"), h("p", null, error), h("button", { type: "button", class: "button", onclick: reloadThread }, "Try again"))
        : h("p", { class: "empty muted" }, "Loading the conversation…"),
    }]);
    return;
  }
  reconcile(content, [
    { key: "transcript", sign: JSON.stringify([ticket.id, ticket.bot, entries.length, wholeTranscript]), build: transcript },
    { key: "handover", sign: JSON.stringify([ticket.id, ticket.reason, ticket.bot, ticket.created_at]), build: handover },
    { key: "lines", sign: ticket.id, build: () => h("ol", { class: "lines", id: "lines", "aria-label": "Messages since the hand-over" }) },
  ]);
  reconcile(byId("lines"), lineItems());
}

function renderTyping() {
  const place = byId("typing");
  const { open } = store;
  const typing = open && customerTyping(open.id);
  const name = open?.ticket?.customer?.name || "The customer";
  place.hidden = !typing;
  fill(place, typing ? [h("span", { class: "dots", "aria-hidden": "true" }, h("span"), h("span"), h("span")), `${name} is typing…`] : null);
  const others = open ? colleaguesTyping(open.id) : [];
  const collision = byId("collision");
  if (!collision.dataset.warning) {
    collision.hidden = others.length === 0;
    fill(collision, others.length > 0 ? [icon("edit"), `${others.join(" and ")} ${others.length > 1 ? "are" : "is"} writing to this customer.`] : null);
  }
  scroller.settle();
}

function renderEmpty() {
  const open = store.open !== null;
  for (const id of ["thread-head", "thread-scroll"]) byId(id).hidden = !open;
  const place = byId("thread-empty");
  place.hidden = open;
  if (open || place.childElementCount > 0) return;
  fill(place, h("div", { class: "empty" }, icon("reply"), h("p", { class: "empty-title" }, "Choose a ticket"),
    h("p", null, "Press ", h("kbd", null, "j"), " for the first one, ", h("kbd", null, "?"), " for all shortcuts.")));
}

function render() {
  const id = store.open?.id ?? null;
  const other = id !== shownTicket;
  if (other) {
    shownTicket = id;
    editing = null;
    wholeTranscript = false;
    scroller.reset();
  }
  byId("thread").dataset.ticketId = id ?? "";
  byId("thread").setAttribute("aria-label", id ? `Conversation with ${store.openRow?.customer?.name || "a customer"}` : "Conversation");
  renderEmpty();
  if (!id) return;
  renderHead();
  renderContent();
  renderTyping();
  if (store.open.phase === "ready") scroller.settle(document.querySelector(".new-line"));
}

/** Begin showing the conversation. */
export function startThread({ onTakeBack }) {
  takeBack = onTakeBack;
  scroller = new Scroller(byId("thread-scroll"), byId("thread-content"), byId("jump"));
  store.on("thread", render);
  store.on("outbox", () => {
    if (!store.open) return;
    render();
  });
  store.on("typing", renderTyping);
}

/** Go to the newest message, after the agent sent one. */
export const toNewest = () => scroller.toEnd();

/** Point out that a message came below what is being read. */
export const pointToNewest = () => scroller.arrived();

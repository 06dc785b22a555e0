/** Beside the conversation: who the customer is, the ticket's own data, and earlier tickets. */

import { assign, setPriority } from "./actions.js";
import { avatar } from "./avatar.js";
import { categoryBadge, priorities, reasonText } from "./badges.js";
import { byId, fill, h, hiddenText, icon } from "./dom.js";
import { linkify } from "./markdown.js";
import { hashOf, showDetails } from "./router.js";
import { store } from "./store.js";
import { timeElement } from "./time.js";
import { toast } from "./toast.js";

let drawn = "";

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not allow copying here. Select the text instead.", "error");
  }
}

function contact(sign, value, what) {
  if (!value) return null;
  return h("li", { class: "contact" }, icon(sign), h("span", { class: "contact-value" }, hiddenText(`${what}: `), value),
    h("button", { type: "button", class: "icon-button contact-copy", "aria-label": `Copy ${what.toLowerCase()}`, title: "Copy", onclick: () => copy(value, what) }, icon("copy")));
}

function valueText(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name}: ${valueText(one)}`).join(", ");
  return String(value);
}

function labelText(name) {
  const words = name.replace(/[_-]+/gu, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (known.length === 0) return null;
  return h("dl", { class: "facts" }, known.map(([name, value]) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value))));
}

function section(title, ...content) {
  if (content.flat().every((one) => one === null)) return null;
  return h("section", { class: "details-section" }, h("h3", null, title), content);
}

function picker(label, testid, options, value, onchange) {
  const select = h("select", { class: "select", dataset: { testid, focusKey: testid }, onchange: async () => {
    select.disabled = true;
    await onchange(select.value);
    select.disabled = false;
  } }, options.map(([option, name]) => h("option", { value: option, selected: option === value }, name)));
  return h("label", { class: "picker" }, h("span", null, label), select);
}

function pickers(row) {
  if (row.category === "closed") return null;
  const people = store.agents.filter(({ id }) => id !== store.me.id).map(({ id, name }) => [id, name]);
  const all = [["", "Nobody"], [store.me.id, `${store.me.name} (you)`], ...people];
  // Somebody who left the desk may still have tickets.
  if (row.assignee && !all.some(([id]) => id === row.assignee.id)) all.push([row.assignee.id, row.assignee.name]);
  return h("div", { class: "pickers" },
    picker("Assignee", "assignee-select", all, row.assignee?.id ?? "", (value) => assign(row.id, value || null)),
    picker("Priority", "priority-select", priorities(), row.priority, (value) => setPriority(row.id, value)));
}

function earlier(tickets) {
  if (!tickets?.length) return h("p", { class: "muted" }, "This is their first ticket.");
  return h("ul", { class: "earlier", dataset: { testid: "earlier-tickets" } }, tickets.map((ticket) => h("li", null,
    h("a", { class: "earlier-link", href: hashOf(store.view, ticket.id) },
      h("span", { class: "earlier-title" }, ticket.title),
      h("span", { class: "earlier-foot" }, `#${ticket.number} · `, ticket.category === "closed" ? ["closed ", timeElement(ticket.closed_at, "date")] : categoryBadge(ticket.category))))));
}

function draw() {
  const place = byId("details");
  const { open } = store;
  const ready = open?.phase === "ready";
  const sign = ready ? JSON.stringify([store.view, open.customer, open.ticket.assignee, open.ticket.priority, open.ticket.category, open.ticket.close_reason, open.ticket.tags, open.ticket.title]) : `${open?.id}${open?.phase}`;
  if (sign === drawn) return;
  drawn = sign;
  place.hidden = !open;
  if (!ready) {
    fill(place);
    return;
  }
  const { customer, ticket } = open;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focusKey : null;
  const name = customer.name || "Customer without a name";
  fill(place,
    h("header", { class: "details-head" },
      avatar({ ...customer, name }, { size: "large" }),
      h("div", null, h("h2", { class: "details-name" }, name), h("p", { class: "muted" }, customer.external_id ? `Customer ${customer.external_id}` : "Customer")),
      h("button", { type: "button", class: "icon-button details-close", "aria-label": "Close details", onclick: () => {
        showDetails(false);
        document.querySelector("[data-details-toggle]")?.focus();
      } }, icon("close"))),
    h("ul", { class: "contacts" },
      contact("mail", customer.email, "E-mail address"), contact("phone", customer.phone, "Phone number"), contact("globe", customer.locale, "Language")),
    pickers(ticket),
    section("Known about them", facts(Object.entries(customer.data ?? {}).map(([key, value]) => [labelText(key), valueText(value)]))),
    section("Ticket",
      ticket.description ? h("p", { class: "description" }, linkify(ticket.description)) : null,
      ticket.tags?.length ? h("ul", { class: "tags", "aria-label": "Tags" }, ticket.tags.map((tag) => h("li", { class: "tag" }, tag))) : null,
      facts([
        ["Number", `#${ticket.number}`],
        ["From", ticket.bot?.name],
        ["Handed over", timeElement(ticket.created_at, "moment")],
        ["Closed", ticket.category === "closed" ? [timeElement(ticket.closed_at, "moment"), reasonText(ticket.close_reason) ? `, ${reasonText(ticket.close_reason)}` : ""] : null],
        ["Bot's reference", ticket.external_id],
        ...Object.entries(ticket.metadata ?? {}).map(([key, value]) => [labelText(key), valueText(value)]),
      ])),
    section("Earlier tickets", earlier(customer.earlier)));
  if (focused) place.querySelector(`[data-focus-key="${focused}"]`)?.focus();
}

/** Begin showing the customer of the open ticket. */
export function startCustomer() {
  store.on("thread", draw);
}

/** The list of tickets, and the views with their counts. */

import { loadList, loadMore } from "./actions.js";
import { avatar } from "./avatar.js";
import { priorityBadge, waitBadge, waitLevel } from "./badges.js";
import { become, byId, fill, h, hiddenText, icon, reconcile } from "./dom.js";
import { hasDraft } from "./drafts.js";
import { customerTyping } from "./presence.js";
import { hashOf } from "./router.js";
import { VIEWS, store, viewName } from "./store.js";
import { timeElement } from "./time.js";

const SEARCH_AFTER = 250;
const EMPTY = {
  mine: ["smile", "Nothing is waiting for you", "Take a ticket from Unassigned with the key a."],
  unassigned: ["inbox", "No one is waiting", "New hand-overs from bots appear here by themselves."],
  all: ["inbox", "No open tickets", "New hand-overs from bots appear here by themselves."],
  closed: ["archive", "No closed tickets yet", "Tickets you close are kept here and can be reopened."],
};

function lastLine(row) {
  if (customerTyping(row.id)) return h("span", { class: "row-last is-typing" }, "typing…");
  if (hasDraft(row.id, "reply") || hasDraft(row.id, "note")) {
    return h("span", { class: "row-last" }, h("span", { class: "draft-mark" }, "Draft "), row.last?.text ?? "");
  }
  if (!row.last) return h("span", { class: "row-last" }, "No message yet");
  const who = row.last.kind === "note" ? "Note: " : { agent: "Agent: ", bot: "Bot: " }[row.last.author_role];
  return h("span", { class: "row-last" }, who ? h("span", { class: "row-who" }, who) : null, row.last.text || "Attachment");
}

function rowLink(row, selected) {
  const name = row.customer?.name || "Customer without a name";
  const unread = row.unread > 0 && !selected;
  return h("a", {
    class: `row${unread ? " is-unread" : ""}`,
    href: hashOf(store.view, row.id),
    "aria-current": selected ? "true" : null,
    draggable: "false",
    dataset: { testid: "ticket-row", ticketId: row.id, focusKey: row.id },
  },
  avatar({ id: row.customer?.id, name }, { size: "medium" }),
  h("span", { class: "row-main" },
    h("span", { class: "row-line" },
      h("span", { class: "row-name" }, name),
      unread ? [h("span", { class: "unread-dot", "aria-hidden": "true" }), hiddenText(`, ${row.unread} unread`)] : null,
      h("span", { class: "row-when" }, waitBadge(row.waiting_since) ?? timeElement(row.last?.at ?? row.updated_at, "ago", "row-time"))),
    h("span", { class: "row-title" }, row.title),
    h("span", { class: "row-line" }, lastLine(row),
      h("span", { class: "row-signs" },
        priorityBadge(row.priority),
        row.assignee && store.view !== "mine" ? [avatar(row.assignee, { size: "tiny" }), hiddenText(`, assigned to ${row.assignee.name}`)] : null))));
}

function rowItem(id) {
  const row = store.rows.get(id);
  const selected = store.open?.id === id;
  const draft = hasDraft(id, "reply") || hasDraft(id, "note");
  const sign = JSON.stringify([row, selected, draft, store.view, customerTyping(id), waitLevel(row.waiting_since)]);
  return {
    key: id,
    sign,
    build: () => h("li", null, rowLink(row, selected)),
    // The link stays the same element: it may have the focus, or be under a finger.
    update: (item) => become(item.firstElementChild, rowLink(row, selected)),
  };
}

function state() {
  const { phase, error, ids, more } = store.list;
  const place = byId("list-state");
  if (phase === "loading") {
    const lines = Array.from({ length: 6 }, () => h("div", { class: "row-ghost" }, h("span"), h("span"), h("span")));
    return fill(place, h("div", { "aria-hidden": "true" }, lines), hiddenText("Loading tickets…"));
  }
  if (phase === "failed") {
    return fill(place, h("div", { class: "empty" }, icon("alert"), h("p", null, error),
      h("button", { type: "button", class: "button", onclick: () => loadList() }, "Try again")));
  }
  if (ids.length === 0) {
    const [picture, title, help] = store.query ? ["search", "Nothing found", `No ticket in ${viewName(store.view)} matches “${store.query}”.`] : EMPTY[store.view];
    return fill(place, h("div", { class: "empty" }, icon(picture), h("p", { class: "empty-title" }, title), h("p", null, help)));
  }
  if (!more) return fill(place);
  return fill(place, h("button", { type: "button", class: "button button-wide", disabled: phase === "adding", onclick: loadMore }, phase === "adding" ? "Loading…" : "Show more"));
}

function render() {
  byId("list-title").textContent = viewName(store.view);
  byId("list-order").textContent = store.view === "closed" ? "Newest first" : "Longest wait first";
  reconcile(byId("rows"), store.list.ids.filter((id) => store.rows.has(id)).map(rowItem));
  byId("rows").hidden = store.list.ids.length === 0;
  byId("list").setAttribute("aria-busy", String(store.list.phase === "loading"));
  state();
}

function renderViews() {
  for (const view of VIEWS) {
    const item = document.querySelector(`[data-view="${view}"]`);
    if (store.view === view) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
    const count = item.querySelector("[data-count]");
    const value = store.counts?.[view];
    count.textContent = value === undefined ? "–" : String(value);
    count.classList.toggle("is-zero", !value);
  }
}

function renderConnection() {
  const place = byId("connection");
  const away = store.connection === "closed";
  place.hidden = !away;
  fill(place, away ? [icon("retry"), "Connection lost. Reconnecting…"] : null);
}

/** Put the focus on the open ticket's row, or on the first one. */
export function focusList() {
  const rows = byId("rows");
  const row = rows.querySelector("[aria-current='true']") ?? rows.querySelector(".row");
  (row ?? byId("list")).focus();
  row?.scrollIntoView({ block: "nearest" });
}

/** Begin showing the list. */
export function startList() {
  store.on("list", render);
  store.on("list", renderViews);
  store.on("typing", render);
  store.on("counts", renderViews);
  store.on("connection", renderConnection);
  const search = byId("search");
  let timer = null;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const query = search.value.trim();
      if (query === store.query) return;
      store.query = query;
      void loadList();
    }, SEARCH_AFTER);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    focusList();
  });
  byId("rows").addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = step && event.target.closest("li")?.[step]?.querySelector(".row");
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  const scroll = byId("list-scroll");
  scroll.addEventListener("scroll", () => {
    if (scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 200) void loadMore();
  }, { passive: true });
}

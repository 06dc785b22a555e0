/** The head of the conversation: who, what, in which state, and what can be done with one press. */

import { assign } from "./actions.js";
import { avatar } from "./avatar.js";
import { categoryBadge, priorityBadge, waitBadge, waitLevel } from "./badges.js";
import { askToClose } from "./close_dialog.js";
import { byId, fill, h, icon } from "./dom.js";
import { go, showDetails } from "./router.js";
import { store } from "./store.js";

let drawn = "";

function assignee(row) {
  if (row.category === "closed") return null;
  if (row.assignee?.id === store.me.id) {
    return h("span", { class: "assigned", dataset: { testid: "assigned-to" } }, icon("check"), "Assigned to you");
  }
  const button = h("button", { type: "button", class: row.assignee ? "button" : "button button-primary", "aria-keyshortcuts": "a", dataset: { testid: "assign-me", focusKey: "assign" }, title: "Assign to me (a)", onclick: async () => {
    button.disabled = true;
    if (!(await assign(row.id, "me"))) button.disabled = false;
  } }, icon("person"), h("span", { class: "button-text" }, row.assignee ? "Take over" : "Assign to me"));
  return [row.assignee ? h("span", { class: "assigned", dataset: { testid: "assigned-to" } }, row.assignee.name) : null, button];
}

/** Draw the head of the open ticket. */
export function renderHead() {
  const row = store.openRow;
  const place = byId("thread-head");
  // Only what is shown here: a button must not be drawn anew under the pointer because a message came.
  const sign = JSON.stringify([store.open?.id, row?.number, row?.title, row?.category, row?.priority, row?.assignee, row?.customer, row?.waiting_since, waitLevel(row?.waiting_since), store.open?.customer?.avatar_url]);
  if (sign === drawn) return;
  drawn = sign;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focusKey : null;
  const back = h("button", { type: "button", class: "icon-button back", "aria-label": "Back to the list", dataset: { testid: "back", focusKey: "back" }, onclick: () => go(store.view) }, icon("back"));
  const details = h("button", {
    type: "button",
    class: "icon-button details-toggle",
    "aria-label": "Customer and ticket",
    title: "Customer and ticket",
    "aria-expanded": String(document.body.dataset.details === "open"),
    "aria-controls": "details",
    dataset: { testid: "details-toggle", detailsToggle: "", focusKey: "details" },
    onclick: () => {
      showDetails(document.body.dataset.details !== "open");
      if (document.body.dataset.details === "open") byId("details").focus();
    },
  }, icon("panel"));
  if (!row) {
    fill(place, back, h("span", { class: "head-main muted" }, "Ticket"));
    return;
  }
  const name = row.customer?.name || "Customer without a name";
  const close = row.category === "closed" ? null
    : h("button", { type: "button", class: "button", "aria-keyshortcuts": "e", title: "Close ticket (e)", dataset: { testid: "close-ticket", focusKey: "close" }, onclick: () => askToClose() }, icon("check"), h("span", { class: "button-text" }, "Close"));
  fill(place, back,
    avatar({ id: row.customer?.id, name, avatar_url: store.open.customer?.avatar_url }, { size: "medium" }),
    h("div", { class: "head-main" },
      h("div", { class: "head-line" }, h("h2", { class: "head-name" }, name), categoryBadge(row.category), priorityBadge(row.priority), waitBadge(row.waiting_since)),
      h("p", { class: "head-title" }, h("span", { class: "head-number" }, `#${row.number}`), row.title)),
    h("div", { class: "head-actions" }, assignee(row), close, details));
  if (focused) place.querySelector(`[data-focus-key="${focused}"]`)?.focus();
}

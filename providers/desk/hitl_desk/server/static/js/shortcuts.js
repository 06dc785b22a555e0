/** Single keys for what agents do all day. None works while somebody writes, or while a dialog is open. */

import { assign } from "./actions.js";
import { askToClose } from "./close_dialog.js";
import { setMode } from "./composer.js";
import { byId } from "./dom.js";
import { focusList } from "./list.js";
import { go, onePane, showDetails } from "./router.js";
import { store } from "./store.js";

function move(step) {
  const next = store.neighbour(step);
  if (!next) return;
  go(store.view, next);
  // The list is drawn after this key press has been handled.
  setTimeout(() => {
    const row = byId("rows").querySelector(`[data-ticket-id="${CSS.escape(next)}"]`);
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  });
}

function assignToMe() {
  const row = store.openRow;
  if (row && row.category !== "closed" && row.assignee?.id !== store.me.id) void assign(row.id, "me");
}

/** Leave what is in front: the details, the search, then the ticket. */
function leave() {
  const search = byId("search");
  if (document.body.dataset.details === "open") {
    showDetails(false);
    document.querySelector("[data-details-toggle]")?.focus();
  } else if (search.value) {
    search.value = "";
    search.dispatchEvent(new Event("input"));
    focusList();
  } else if (store.open && (onePane() || byId("list").contains(document.activeElement))) {
    go(store.view);
  } else {
    focusList();
  }
}

function search() {
  if (onePane()) go(store.view);
  byId("search").focus();
  byId("search").select();
}

function help() {
  byId("help-dialog").showModal();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  a: assignToMe,
  e: askToClose,
  r: () => setMode("reply"),
  n: () => setMode("note"),
  "/": search,
  "?": help,
  Escape: leave,
};

function isWriting(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("textarea, select")) return true;
  const input = target.closest("input");
  return input !== null && !["checkbox", "radio", "button", "file"].includes(input.type);
}

/** Begin listening to the keyboard. */
export function startShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (isWriting(event.target)) {
      if (event.key === "Escape" && event.target === byId("search")) {
        event.preventDefault();
        leave();
      }
      return;
    }
    const work = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (!work) return;
    event.preventDefault();
    work();
  });
  byId("menu-help").addEventListener("click", () => {
    byId("menu").close();
    help();
  });
}

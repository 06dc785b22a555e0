/** Closing a ticket, with a last message if there is one to say, and going on to the next. */

import { close } from "./actions.js";
import { dismissible } from "./dialogs.js";
import { byId } from "./dom.js";
import { hasDraft } from "./drafts.js";
import { unsent } from "./outbox.js";
import { go } from "./router.js";
import { store } from "./store.js";

let ticket = null;
let next = null;
let busy = false;

/** Ask for the last message and close the open ticket. */
export function askToClose() {
  const row = store.openRow;
  if (!row || row.category === "closed" || byId("close-dialog").open) return;
  ticket = row.id;
  next = store.neighbour(1) ?? store.neighbour(-1);
  const name = row.customer?.name || "the customer";
  byId("close-lead").textContent = `#${row.number} · ${row.title}. The bot takes the conversation back.`;
  byId("close-label").textContent = `Last message to ${name} (optional)`;
  byId("close-text").value = "";
  const left = [
    hasDraft(ticket, "reply") ? "You have a reply to send." : "",
    unsent(ticket).length > 0 ? "A message has not been sent yet." : "",
  ].filter(Boolean).join(" ");
  byId("close-warning").hidden = !left;
  byId("close-warning").textContent = left ? `${left} It will not reach ${name} once the ticket is closed.` : "";
  byId("close-next").hidden = !next || next === ticket;
  byId("close-dialog").showModal();
  byId("close-text").focus();
}

async function finish({ goOn }) {
  if (busy) return;
  busy = true;
  try {
    const text = byId("close-text").value.trim();
    if (!(await close(ticket, text))) return;
    byId("close-dialog").close();
    if (goOn && next) go(store.view, next);
    else byId("thread").focus();
  } finally {
    busy = false;
  }
}

/** Begin listening to the dialog. */
export function startClosing() {
  const dialog = byId("close-dialog");
  dismissible(dialog);
  byId("close-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void finish({ goOn: false });
  });
  byId("close-next").addEventListener("click", () => finish({ goOn: true }));
  byId("close-text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    void finish({ goOn: false });
  });
}

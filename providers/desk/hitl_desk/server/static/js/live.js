/** What the event stream tells, and what follows from it on the page. */

import { toSignIn } from "./api.js";
import { countsSoon, countsTold, loadList, readOpen, reloadThread, seedUnread, tellOtherTabs } from "./actions.js";
import { arrived, resume } from "./outbox.js";
import { heard } from "./presence.js";
import { summary } from "./render_message.js";
import { store } from "./store.js";
import { receive } from "./tabs.js";
import { pointToNewest } from "./thread.js";
import { announce } from "./toast.js";
import { news } from "./unread.js";

const YOUNG = 120_000;

let opened = false;
let reloadTimer = null;

function onTicket({ ticket: row }) {
  const known = store.rows.get(row.id);
  store.putRow(row);
  countsSoon();
  if (store.open?.id === row.id) {
    // The row does not say how and when it was closed.
    const moved = known && (known.category === "closed") !== (row.category === "closed");
    if (moved) {
      clearTimeout(reloadTimer);
      reloadTimer = setTimeout(reloadThread, 150);
    }
    readOpen();
  }
  if (!known && !row.assignee && Date.now() - Date.parse(row.created_at) < YOUNG) {
    news(row, row.title, row.id);
    announce(`New ticket from ${row.customer?.name || "a customer"}: ${row.title}`);
  }
}

function onMessage({ ticket_id: ticket, message }) {
  arrived(message);
  const open = store.open?.id === ticket && store.open.phase === "ready";
  const fresh = open ? !store.open.messages.some(({ id }) => id === message.id) : Date.now() - Date.parse(message.created_at) < YOUNG;
  store.putMessage(ticket, message);
  const fromCustomer = message.author?.role === "customer" && message.kind === "message";
  if (fromCustomer) heard({ ticket_id: ticket, who: "customer", typing: false });
  else if (message.author?.role === "agent" && message.author.name) heard({ ticket_id: ticket, who: message.author.name, typing: false });
  if (!fresh || message.deleted || message.edited_at) return;
  if (open) {
    pointToNewest();
    if (message.author?.id !== store.me.id && message.kind !== "system") {
      announce(`${message.kind === "note" ? "Note from " : ""}${message.author?.name || "The customer"}: ${summary(message.message) || "an attachment"}`);
    }
  }
  const row = store.rows.get(ticket);
  if (fromCustomer && row) news(row, summary(message.message) || "Sent a file", message.id);
}

/** The agent read a ticket in another tab. */
function onRead({ ticket_id: ticket }) {
  const row = store.rows.get(ticket);
  if (row?.unread) store.putRow({ ...row, unread: 0 });
}

const HANDLERS = { ticket: onTicket, message: onMessage, typing: heard, counts: countsTold, read: onRead };

function onEvent({ type, data }) {
  if (Object.hasOwn(HANDLERS, type)) HANDLERS[type](data);
}

/** After an interruption everything is asked for once more: what was missed may be older than the stream remembers. */
function resync() {
  void loadList({ quiet: true });
  void reloadThread();
  seedUnread().catch(() => {
    // The list says when it cannot be loaded.
  });
  resume();
}

function onState(state) {
  const before = store.connection;
  store.connection = state;
  store.changed("connection");
  if (state !== "open" || before === "open") return;
  if (opened) resync();
  opened = true;
}

/** Begin receiving. */
export function startLive() {
  tellOtherTabs(receive(store.me.id, { onEvent, onState, onSignedOut: toSignIn }));
}

/** What an agent does with lists and tickets: calls the desk and brings the store up to date. */

import * as api from "./api.js";
import { settle as settleTyping } from "./presence.js";
import { store } from "./store.js";
import { toast } from "./toast.js";

let tellTabs = () => {};
let listCall = null;
let threadCall = null;
let countsTimer = null;

/** Name the way to tell this agent's other tabs of what only happens here. */
export function tellOtherTabs(tell) {
  tellTabs = tell;
}

/** Load the first page of the view and search in force. */
export async function loadList({ quiet = false } = {}) {
  listCall?.abort();
  const call = new AbortController();
  listCall = call;
  if (!quiet) {
    store.list = { ids: [], cursor: null, more: false, phase: "loading", error: "" };
    store.changed("list");
  }
  const limit = quiet ? Math.min(200, Math.max(50, store.list.ids.length)) : 50;
  try {
    const answer = await api.loadTickets({ view: store.view, q: store.query, limit, signal: call.signal });
    if (listCall === call) store.setList(answer);
  } catch (error) {
    if (call.signal.aborted || (quiet && store.list.phase === "ready")) return;
    store.list = { ...store.list, phase: "failed", error: error.message };
    store.changed("list");
  }
}

/** Load the next page of the list. */
export async function loadMore() {
  const { cursor, more, phase } = store.list;
  if (!more || phase !== "ready") return;
  store.list.phase = "adding";
  store.changed("list");
  const call = listCall;
  try {
    const answer = await api.loadTickets({ view: store.view, q: store.query, cursor });
    if (listCall === call) store.setList(answer, { append: true });
  } catch (error) {
    if (listCall !== call) return;
    store.list.phase = "ready";
    store.changed("list");
    toast(error.message, "error");
  }
}

/** Ask for the counts soon; many changes at once ask once. */
export function countsSoon() {
  clearTimeout(countsTimer);
  countsTimer = setTimeout(async () => {
    try {
      const { counts } = await api.loadTickets({ view: store.view, limit: 1 });
      store.setCounts(counts);
    } catch {
      // The next change asks again.
    }
  }, 300);
}

/** The desk told the counts itself. */
export function countsTold(counts) {
  clearTimeout(countsTimer);
  store.setCounts(counts);
}

/** Learn of everything unread that concerns the agent, for the title, before the stream tells of changes. */
export async function seedUnread() {
  const answers = await Promise.all(["mine", "unassigned"].map((view) => api.loadTickets({ view, limit: 100 })));
  for (const row of answers.flatMap((answer) => answer.tickets)) store.putRow(row);
}

/** Open a ticket, or with null none. */
export async function openTicket(id) {
  if (store.open?.id === id && store.open.phase !== "failed") return;
  store.open = id ? { id, phase: "loading", error: "", ticket: store.rows.get(id) ?? null, customer: null, transcript: [], messages: [], newFrom: null } : null;
  store.rememberPlace();
  store.changed("thread", "list");
  if (id) await loadThread(id);
  else threadCall?.abort();
}

/** Load the open ticket again, keeping what is shown until the answer is there. */
export const reloadThread = () => (store.open ? loadThread(store.open.id) : null);

async function loadThread(id) {
  threadCall?.abort();
  const call = new AbortController();
  threadCall = call;
  try {
    const answer = await api.loadTicket(id, call.signal);
    if (store.open?.id !== id) return;
    const first = store.open.phase !== "ready";
    const newFrom = first ? firstUnread(answer) : store.open.newFrom;
    store.open = { id, phase: "ready", error: "", ...answer, newFrom };
    store.putRow(rowOf(answer.ticket));
    store.changed("thread");
    readOpen();
  } catch (error) {
    if (call.signal.aborted || store.open?.id !== id || store.open.phase === "ready") return;
    store.open = { ...store.open, phase: "failed", error: error.message };
    store.changed("thread");
  }
}

const ROW = ["id", "number", "title", "priority", "category", "customer", "assignee", "bot", "last", "waiting_since", "unread", "updated_at", "created_at"];

function rowOf(ticket) {
  return Object.fromEntries(ROW.map((name) => [name, ticket[name]]));
}

/** Sequence number of the first of the newest customer messages nobody has read, or null. */
function firstUnread({ ticket, messages }) {
  const theirs = messages.filter(({ kind, author }) => kind === "message" && author.role === "customer");
  const unread = theirs.slice(Math.max(0, theirs.length - ticket.unread));
  return ticket.unread > 0 && unread.length < messages.length ? (unread[0]?.seq ?? null) : null;
}

/** Tell the desk that the open ticket has been read, when somebody is looking. */
export function readOpen() {
  const { open } = store;
  if (open?.phase !== "ready" || document.visibilityState !== "visible") return;
  const row = store.rows.get(open.id);
  if (!row?.unread) return;
  store.rows.set(open.id, { ...row, unread: 0 });
  store.changed("list");
  tellTabs({ type: "read", data: { ticket_id: open.id } });
  api.markRead(open.id, open.messages.at(-1)?.seq ?? 0).catch(() => {
    // Unread again at the next look is a small loss.
  });
}

async function change(work, success) {
  try {
    const row = await work();
    if (row) store.putRow(row);
    countsSoon();
    if (success) toast(success);
    return true;
  } catch (error) {
    toast(error.message, "error");
    return false;
  }
}

/** Give a ticket to an agent ("me", an id), or with null to nobody. */
export function assign(id, agent) {
  return change(() => api.assignTicket(id, agent));
}

export function setPriority(id, priority) {
  return change(() => api.setPriority(id, priority));
}

export async function close(id, text) {
  settleTyping();
  const number = store.rows.get(id)?.number;
  const done = await change(() => api.closeTicket(id, text), `Ticket #${number} closed`);
  if (done && store.open?.id === id) await reloadThread();
  return done;
}

export async function reopen(id) {
  const done = await change(() => api.reopenTicket(id));
  if (done && store.open?.id === id) await reloadThread();
  return done;
}

/** Change or, with null, take back a message. */
export async function editMessage(ticket, message, text) {
  try {
    if (text === null) {
      await api.deleteMessage(message.id);
      store.putMessage(ticket, { ...message, message: null, attachments: [], deleted: true });
    } else {
      store.putMessage(ticket, await api.editMessage(message.id, text));
    }
    return true;
  } catch (error) {
    toast(error.message, "error");
    return false;
  }
}

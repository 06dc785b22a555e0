/**
 * What is being written, apart for every ticket and for replies and notes, so that words meant for colleagues never
 * stand in the box that goes to the customer. Kept for the life of the tab.
 */

import { store } from "./store.js";

const EMPTY = Object.freeze({ text: "", attachments: [] });

const keyOf = (ticket, mode) => `desk.draft:${store.me?.id ?? ""}:${ticket}:${mode}`;

/** The draft: `{text, attachments}`. */
export function draft(ticket, mode) {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(keyOf(ticket, mode)) ?? "{}") };
  } catch {
    return { ...EMPTY };
  }
}

/** Whether something is being written. */
export function hasDraft(ticket, mode) {
  return sessionStorage.getItem(keyOf(ticket, mode)) !== null;
}

/** Change a draft; an empty one is dropped. */
export function keepDraft(ticket, mode, changes) {
  const next = { ...draft(ticket, mode), ...changes };
  const key = keyOf(ticket, mode);
  const had = sessionStorage.getItem(key) !== null;
  const has = next.text.trim() !== "" || next.attachments.length > 0;
  try {
    if (has) sessionStorage.setItem(key, JSON.stringify(next));
    else sessionStorage.removeItem(key);
  } catch {
    // A full storage must not stop anyone from writing.
  }
  if (had !== has) store.changed("list");
}

/** Forget a draft, after it was sent. */
export function dropDraft(ticket, mode) {
  keepDraft(ticket, mode, EMPTY);
}

/** The mode a ticket's composer was left in. */
export function modeOf(ticket) {
  return sessionStorage.getItem(`desk.mode:${ticket}`) === "note" ? "note" : "reply";
}

export function keepMode(ticket, mode) {
  if (mode === "note") sessionStorage.setItem(`desk.mode:${ticket}`, mode);
  else sessionStorage.removeItem(`desk.mode:${ticket}`);
}

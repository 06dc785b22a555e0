/**
 * Messages on their way to the desk. Each carries a reference the desk knows it by, so sending it again, by hand, after
 * a reload or when the connection is back, never posts it twice. What is not sent yet survives a reload of the tab.
 */

import * as api from "./api.js";
import { store } from "./store.js";

const KEY = "desk.outbox";

let entries = [];
const lines = new Map();

function newRef() {
  // crypto.randomUUID is missing on plain http.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function changed() {
  try {
    if (entries.length > 0) sessionStorage.setItem(KEY, JSON.stringify({ agent: store.me.id, entries }));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage an unsent message lives as long as the page.
  }
  store.changed("outbox");
}

/** Take up what an earlier page of this tab had not sent. */
export function restoreOutbox() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (kept?.agent === store.me.id) entries = kept.entries;
  } catch {
    entries = [];
  }
  resume();
}

/** The unsent messages of a ticket, oldest first. */
export function unsent(ticket) {
  return entries.filter((entry) => entry.ticket === ticket);
}

function settle(ref) {
  const entry = entries.find((one) => one.ref === ref);
  if (!entry) return;
  entries = entries.filter((one) => one !== entry);
  changed();
}

async function post(entry) {
  entry.state = "sending";
  changed();
  try {
    const message = await api.postMessage(entry.ticket, {
      kind: entry.kind,
      text: entry.text,
      attachments: entry.attachments.map(({ id }) => id),
      client_ref: entry.ref,
    });
    store.putMessage(entry.ticket, message);
    settle(entry.ref);
  } catch (error) {
    if (!entries.includes(entry)) return;
    entry.state = "failed";
    entry.error = error.message;
    entry.passing = error instanceof api.ApiError && error.passing;
    changed();
  }
}

/** Messages of one ticket go one after the other, so that they arrive as they were written. */
function enqueue(entry) {
  entry.state = "sending";
  const line = (lines.get(entry.ticket) ?? Promise.resolve()).then(() => (entries.includes(entry) ? post(entry) : null));
  lines.set(entry.ticket, line);
  return line;
}

/**
 * Send a message.
 *
 * @param kind reply or note.
 * @param attachments as the desk answered their upload.
 */
export function send(ticket, kind, text, attachments) {
  const entry = { ref: newRef(), ticket, kind, text, attachments, at: new Date().toISOString(), state: "sending", error: "", passing: false };
  entries.push(entry);
  changed();
  return enqueue(entry);
}

/** Send a failed message again. */
export function retry(ref) {
  const entry = entries.find((one) => one.ref === ref && one.state === "failed");
  if (entry) void enqueue(entry);
  changed();
}

/** Give a failed message up; returns it. */
export function discard(ref) {
  const entry = entries.find((one) => one.ref === ref);
  settle(ref);
  return entry;
}

/** A message arrived from the stream: it need not be waited for any more. */
export function arrived(message) {
  if (message.client_ref) settle(message.client_ref);
}

/** Send again what failed for a passing reason. */
export function resume() {
  for (const entry of entries) {
    if (entry.state === "sending" && lines.has(entry.ticket)) continue;
    if (entry.state === "failed" && !entry.passing) continue;
    void enqueue(entry);
  }
}

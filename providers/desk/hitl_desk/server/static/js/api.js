/** Calls to the desk. Every failure is an {@link ApiError} with a sentence for people. */

import { BASE } from "./base.js";

const TIMEOUT = 30_000;

let csrf = "";

/** A call that did not succeed; `status` is 0 when the desk was not reached. */
export class ApiError extends Error {
  constructor(message, status = 0, title = "") {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.title = title;
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/** Leave for the sign-in page; drafts stay in the tab and are there after signing in. */
export function toSignIn() {
  sessionStorage.setItem("desk.return", location.hash);
  location.assign(`${BASE}/login`);
}

async function failure(response) {
  let problem = null;
  try {
    problem = await response.json();
  } catch {
    problem = null;
  }
  return fromProblem(response.status, problem);
}

function fromProblem(status, problem) {
  const detail = typeof problem?.detail === "string" ? problem.detail : "";
  const title = typeof problem?.title === "string" ? problem.title : "";
  return new ApiError(detail || title || `The desk answered with status ${status}. Try again.`, status, title);
}

async function call(method, path, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(TIMEOUT);
  let response;
  try {
    response = await fetch(`${BASE}/api${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The desk cannot be reached. Check the connection, then try again.");
  }
  if (response.status === 401) {
    toSignIn();
    throw new ApiError("Your session has ended. Sign in again.", 401);
  }
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new ApiError("The desk's answer could not be read. Try again.", 0);
  }
}

const id = encodeURIComponent;

/** Who is signed in, and the colleagues; keeps the token every later write is sent with. */
export async function loadMe() {
  const me = await call("GET", "/me");
  csrf = me.csrf;
  return me;
}

export function loadTickets({ view, q = "", cursor = null, limit = 50, signal = null }) {
  const query = new URLSearchParams({ view, limit: String(limit) });
  if (q) query.set("q", q);
  if (cursor) query.set("cursor", cursor);
  return call("GET", `/tickets?${query}`, { signal });
}

export const loadTicket = (ticket, signal = null) => call("GET", `/tickets/${id(ticket)}`, { signal });
export const postMessage = (ticket, body) => call("POST", `/tickets/${id(ticket)}/messages`, { body });
export const editMessage = (message, text) => call("PATCH", `/messages/${id(message)}`, { body: { text } });
export const deleteMessage = (message) => call("DELETE", `/messages/${id(message)}`);
export const assignTicket = (ticket, agent) => call("POST", `/tickets/${id(ticket)}/assign`, { body: { agent_id: agent } });
export const reopenTicket = (ticket) => call("POST", `/tickets/${id(ticket)}/reopen`, { body: {} });
export const setPriority = (ticket, priority) => call("POST", `/tickets/${id(ticket)}/priority`, { body: { priority } });
export const sendTyping = (ticket, typing) => call("POST", `/tickets/${id(ticket)}/typing`, { body: { typing } });
export const markRead = (ticket, seq) => call("POST", `/tickets/${id(ticket)}/read`, { body: { seq } });
export const loadBots = () => call("GET", "/bots");
export const switchBot = (bot, enabled) => call("POST", `/bots/${id(bot)}`, { body: { enabled } });
export const loadDeliveries = (bot) => call("GET", `/endpoints/${id(bot)}/deliveries`);
export const replayDelivery = (delivery) => call("POST", `/deliveries/${id(delivery)}/replay`, { body: {} });

/** Close a ticket; `text`, when given, is sent to the customer first. */
export function closeTicket(ticket, text = "") {
  return call("POST", `/tickets/${id(ticket)}/close`, { body: text ? { text } : {} });
}

/** End the session, forget this tab's drafts, and go to the sign-in page. */
export async function signOut() {
  try {
    await fetch(`${BASE}/logout`, { method: "POST", headers: { "X-CSRF-Token": csrf }, credentials: "same-origin" });
  } finally {
    sessionStorage.clear();
    location.assign(`${BASE}/login`);
  }
}

/**
 * Upload a file and return its attachment.
 *
 * XMLHttpRequest, because fetch does not tell how much of a body has been sent.
 *
 * @param onProgress called with a share between 0 and 1.
 */
export function upload(file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name || "file");
    request.open("POST", `${BASE}/api/attachments`);
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status === 401) toSignIn();
      if (request.status >= 200 && request.status < 300 && request.response) resolve(request.response);
      else reject(fromProblem(request.status, request.response));
    });
    request.addEventListener("error", () => reject(new ApiError("The upload broke off. Check the connection, then try again.")));
    request.addEventListener("abort", () => reject(new ApiError("The upload was cancelled.")));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** What the page asks of its server. Errors carry a sentence for the customer. */

export class ChatError extends Error {}

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new ChatError("The server cannot be reached. Your message was not sent.");
  }
  if (answer.status === 204) return null;
  let body = null;
  try {
    body = await answer.json();
  } catch {
    // Not ours: a proxy, or a server that is going down.
  }
  if (!answer.ok) throw new ChatError(body?.error ?? `That did not work (${answer.status}). Please try again.`);
  return body;
}

function post(path, body) {
  return call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
}

export const api = {
  conversation: () => call("api/conversation"),
  say: (text) => post("api/messages", { text }),
  typing: (typing) => post("api/typing", { typing }),
  end: () => post("api/end"),
  begin: () => post("api/new"),
  attach: (file) =>
    call("api/files", {
      method: "POST",
      headers: { "Content-Type": file.type || "application/octet-stream", "X-File-Name": encodeURIComponent(file.name) },
      body: file,
    }),
};

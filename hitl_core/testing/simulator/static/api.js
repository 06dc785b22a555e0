/** The simulator's control API, as far as an agent needs it. Addresses are relative to the page's own. */

/** What went wrong, in words for people. */
export class Refused extends Error {}

async function ask(path, body) {
  const post = body !== undefined;
  const options = post
    ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
    : { cache: "no-store" };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("The simulator does not answer. Is it still running?");
  }
  const text = await answer.text();
  if (answer.ok) return text;
  throw new Refused(told(text) ?? `The simulator failed (${answer.status}).`);
}

function told(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" && error ? `${error[0].toUpperCase()}${error.slice(1)}` : null;
  } catch {
    return null;
  }
}

const session = (id) => `sessions/${encodeURIComponent(id)}`;

export const api = {
  about: async () => JSON.parse(await ask("../_sim")),
  users: async () => JSON.parse(await ask("users")),
  /** Every session without the contents of files, as text: equal texts mean that nothing has changed. */
  sessions: () => ask("sessions?contents=no"),
  session: async (id) => JSON.parse(await ask(session(id))),
  act: (id, verb, body) => ask(`${session(id)}/${verb}`, body),
};

/** Bytes of the base64 the simulator writes, which is the one for URLs. */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

/** A chosen file as the simulator wants it. */
export async function fileBody(file) {
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(new Refused(`${file.name} cannot be read.`)));
    reader.readAsDataURL(file);
  });
  const content = address.slice(address.indexOf(",") + 1);
  return { name: file.name, content_type: file.type || "application/octet-stream", content };
}

/** What the simulator holds, asked for again and again. Whoever listens is told only when something is different. */

import { api } from "./api.js";

const OFTEN = 800;
const HIDDEN = 4000;
const LOST = 2000;

export const store = { about: null, sessions: [], users: new Map(), online: true };

const listeners = [];
let known = null;
let stale = true;
let timer = 0;
let asking = null;

/** Call `listener` whenever something is different. */
export function onChange(listener) {
  listeners.push(listener);
}

/** The verbs this simulator is able to do to a session. */
export function offers(verb) {
  return store.about?.verbs.has(verb) ?? false;
}

/** The session of that id, or null. */
export function sessionOf(id) {
  return store.sessions.find((session) => session.id === id) ?? null;
}

/** What agents call the customer of a session. */
export function customerName(session) {
  const user = store.users.get(session.user_id);
  const author = session.messages.find((message) => message.role === "user" && message.author)?.author;
  return user?.name || author || user?.email || "Customer";
}

/** Look now. */
export async function refresh() {
  clearTimeout(timer);
  while (asking) await asking; // what was asked before may be answered by how it was before
  asking = look();
  await asking;
}

async function look() {
  let different = false;
  try {
    if (stale) {
      store.about = await about();
      stale = false;
      different = true;
    }
    const text = await api.sessions();
    if (text !== known) {
      store.users = new Map((await api.users()).map((user) => [user.id, user]));
      store.sessions = JSON.parse(text);
      known = text;
      different = true;
    }
    different ||= !store.online;
    store.online = true;
  } catch {
    different = store.online;
    store.online = false;
    stale = true; // it may be another when it is back
  }
  asking = null;
  timer = setTimeout(refresh, store.online ? (document.hidden ? HIDDEN : OFTEN) : LOST);
  if (different) for (const listener of listeners) listener();
}

async function about() {
  const told = await api.about();
  const verbs = told.routes.map(({ path }) => /^\/_sim\/sessions\/\{id\}\/(\w+)$/u.exec(path)?.[1]).filter(Boolean);
  return { title: told.title, agents: told.agents, verbs: new Set(verbs) };
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

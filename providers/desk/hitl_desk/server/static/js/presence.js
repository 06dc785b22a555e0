/** Who is typing: customers and colleagues to this page, the agent to the customer. Both expire by themselves. */

import { sendTyping } from "./api.js";
import { store } from "./store.js";

const SHOWN_FOR = 7_000;
const REPEAT_AFTER = 3_000;
const IDLE_AFTER = 5_000;

const typists = new Map();

/** Somebody began or stopped typing: `{ticket_id, who, typing}`. */
export function heard({ ticket_id: ticket, who, typing }) {
  const key = `${ticket}\n${who}`;
  clearTimeout(typists.get(key));
  typists.delete(key);
  if (typing && who !== store.me.name) {
    typists.set(key, setTimeout(() => {
      typists.delete(key);
      store.changed("typing");
    }, SHOWN_FOR));
  }
  store.changed("typing");
}

/** Whether the customer of a ticket is typing. */
export const customerTyping = (ticket) => typists.has(`${ticket}\ncustomer`);

/** Names of colleagues writing in a ticket. */
export function colleaguesTyping(ticket) {
  const start = `${ticket}\n`;
  return [...typists.keys()].filter((key) => key.startsWith(start)).map((key) => key.slice(start.length)).filter((who) => who !== "customer");
}

let told = null;
let toldAt = 0;
let idle = null;

function tell(ticket, typing) {
  sendTyping(ticket, typing).catch(() => {
    // A lost typing signal expires on the other side.
  });
}

/** The agent is writing a reply; the customer is told, at most every three seconds. */
export function writing(ticket) {
  if (told && told !== ticket) settle();
  clearTimeout(idle);
  idle = setTimeout(settle, IDLE_AFTER);
  const now = Date.now();
  if (told === ticket && now - toldAt < REPEAT_AFTER) return;
  told = ticket;
  toldAt = now;
  tell(ticket, true);
}

/** The agent stopped writing. */
export function settle() {
  clearTimeout(idle);
  if (told) tell(told, false);
  told = null;
}

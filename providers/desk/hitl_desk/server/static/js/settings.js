/** Choices of this browser, kept in its local storage. */

const KEY = "desk.settings";
const DEFAULTS = { enterSends: false, sound: false, notify: false };
const listeners = new Set();

function read() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

let current = read();

/** The choices in force. */
export const settings = () => current;

/** Change choices and keep them. */
export function choose(changes) {
  current = { ...current, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Without storage a choice holds until the page is left.
  }
  for (const listener of listeners) listener(current);
}

/** Hear of changes, also of those made in another tab. */
export function onChoice(listener) {
  listeners.add(listener);
}

addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = read();
  for (const listener of listeners) listener(current);
});

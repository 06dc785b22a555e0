/** Who works here: one of the simulator's agents, remembered by this browser. */

import { byId, h } from "./dom.js";
import { onChange, store } from "./store.js";
import { agentName } from "./words.js";

const KEY = "hitl-simulator-agent";
const select = byId("me");
let offered = "";

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** The id of the agent who works here, or null. */
export function me() {
  return select.value || null;
}

onChange(() => {
  if (!store.about) return;
  const sign = JSON.stringify(store.about.agents);
  if (sign === offered) return;
  offered = sign;
  const before = me() ?? remembered();
  select.replaceChildren(...store.about.agents.map((agent) => h("option", { value: agent.id }, agentName(agent))));
  if (store.about.agents.some(({ id }) => id === before)) select.value = before;
  byId("me-field").hidden = store.about.agents.length === 0;
});

select.addEventListener("change", () => {
  try {
    localStorage.setItem(KEY, select.value);
  } catch {
    // It lasts as long as the page, then.
  }
  select.dispatchEvent(new CustomEvent("another-agent", { bubbles: true }));
});

/** Changing a message of an agent, or taking it back: only what this simulator is able to do. */

import { api } from "./api.js";
import { byId } from "./dom.js";
import { me } from "./me.js";
import { work } from "./problem.js";
import { offers, refresh } from "./store.js";

const dialog = byId("edit-dialog");
const text = byId("edit-text");
let target = null;

/** Ask what to change a message to. */
export function edit(session, message, words) {
  target = { session, message };
  text.value = words;
  text.readOnly = !offers("edit");
  byId("edit-save").hidden = !offers("edit");
  byId("edit-delete").hidden = !offers("delete");
  dialog.showModal();
}

async function act(verb, more) {
  dialog.close();
  await work(async () => {
    await api.act(target.session, verb, { message_id: target.message, agent: me(), ...more });
    await refresh();
  });
}

byId("edit-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value.trim()) act("edit", { text: text.value.trim() });
});
byId("edit-delete").addEventListener("click", () => act("delete", {}));
byId("edit-cancel").addEventListener("click", () => dialog.close());

/** Dialogs every part of the page may need. */

import { byId, h } from "./dom.js";

/** Close a dialog by a press beside it, and by its buttons marked `data-close`. */
export function dismissible(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

/** Ask whether to go on; resolves to true or false. */
export function confirm(title, text, action) {
  const sure = h("button", { class: "button button-danger", value: "yes", dataset: { testid: "confirm-yes" } }, action);
  const dialog = h("dialog", { class: "dialog dialog-small", "aria-label": title },
    h("h2", null, title), h("p", { class: "dialog-lead" }, text),
    h("form", { method: "dialog", class: "dialog-actions" }, h("button", { class: "button", value: "no" }, "Cancel"), sure));
  dismissible(dialog);
  byId("dialogs").append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Short notices at the edge of the page, and words for screen readers alone. */

import { byId, h, icon } from "./dom.js";

const SHOWN_FOR = { info: 4_000, error: 9_000 };

/** Show a notice; `kind` is info or error. */
export function toast(text, kind = "info") {
  const dismiss = () => notice.remove();
  const notice = h("div", { class: `toast toast-${kind}` },
    icon(kind === "error" ? "alert" : "check"), h("span", null, text),
    h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: dismiss }, icon("close")));
  byId(kind === "error" ? "alerts" : "notices").append(notice);
  setTimeout(dismiss, SHOWN_FOR[kind]);
}

/** Have a screen reader say something, without showing it. */
export function announce(text) {
  const place = byId("announcer");
  place.textContent = "";
  // A change in a later task is what makes screen readers speak, also for the same words again.
  setTimeout(() => {
    place.textContent = text;
  }, 50);
}

/** Round pictures of people: their own when the page may load it, else initials on a colour of their name. */

import { h, icon } from "./dom.js";
import { inlineSource } from "./urls.js";

const HUES = 10;

function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length === 0) return "?";
  const first = [...words[0]][0];
  if (words.length === 1 || /\p{Script=Han}/u.test(first)) return first.toUpperCase();
  return (first + [...words.at(-1)][0]).toUpperCase();
}

function hue(seed) {
  let sum = 0;
  for (const letter of seed) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % HUES;
}

/**
 * A decorative avatar; the name stands beside it in text.
 *
 * @param person `{id, name, avatar_url}`, each may be missing.
 * @param size small, medium or large.
 * @param role bot shows a robot instead of initials.
 */
export function avatar(person, { size = "medium", role = null } = {}) {
  const name = person?.name || person?.email || "";
  const classes = `avatar avatar-${size}`;
  if (role === "bot") return h("span", { class: `${classes} avatar-bot`, "aria-hidden": "true" }, icon("bot"));
  const source = inlineSource(person?.avatar_url, "image");
  const letters = () => h("span", { class: `${classes} hue-${hue(String(person?.id || name))}`, "aria-hidden": "true" }, initials(name));
  if (!source) return letters();
  const image = h("img", { class: classes, src: source, alt: "" });
  image.addEventListener("error", () => image.replaceWith(letters()), { once: true });
  return image;
}

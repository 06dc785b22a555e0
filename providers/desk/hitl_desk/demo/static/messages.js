/** The list of messages: one element per entry, changed in place when the entry changes. */

import { h, linked } from "./dom.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const MINUTES = 5 * 60 * 1000;

function initials(name) {
  const words = (name ?? "").trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "?";
}

function size(bytes) {
  if (!bytes) return null;
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function safeHref(url) {
  // Ours are relative; a stranger's must be plain web addresses, never javascript: or data:.
  return /^(https?:\/\/|api\/media\/|files\/)/u.test(url ?? "") ? url : null;
}

function part(item, onImage) {
  if (item.type === "text") return h("span", { class: "words" }, linked(item.text));
  const href = safeHref(item.url);
  if (item.type === "image" && href) {
    return h(
      "a",
      { class: "picture", href, target: "_blank", rel: "noopener" },
      h("img", { src: href, alt: item.name || "Picture", loading: "eager", onload: onImage }),
    );
  }
  const label = [`📎 ${item.name || "File"}`, size(item.size) && h("span", { class: "file-size" }, size(item.size))];
  return href
    ? h("a", { class: "file", href, target: "_blank", rel: "noopener noreferrer nofollow" }, label)
    : h("span", { class: "file" }, label);
}

function bubble(entry, onImage) {
  if (entry.parts === null) return h("div", { class: "bubble" }, "This message was removed.");
  const pictured = entry.parts.some((item) => item.type === "image");
  return h(
    "div",
    { class: pictured ? "bubble with-picture" : "bubble" },
    entry.parts.map((item) => part(item, onImage)),
    entry.edited ? h("span", { class: "edited" }, "(edited)") : null,
  );
}

export class Messages {
  #list;
  #onImage;
  #entries = new Map();
  #last = null;

  constructor(list, onImage) {
    this.#list = list;
    this.#onImage = onImage;
  }

  get hasWords() {
    return [...this.#entries.values()].some(({ entry }) => entry.role === "customer");
  }

  clear() {
    this.#entries.clear();
    this.#last = null;
    this.#list.replaceChildren();
  }

  /** Add an entry; one that is there already is left alone. */
  add(entry) {
    if (this.#entries.has(entry.id)) return false;
    const before = this.#last;
    const follows =
      before !== null &&
      before.role === entry.role &&
      before.name === entry.name &&
      new Date(entry.at) - new Date(before.at) < MINUTES;
    const element = this.#element(entry, follows);
    this.#list.append(element);
    this.#entries.set(entry.id, { entry, element, follows });
    this.#last = entry;
    return true;
  }

  /** Apply a change: other words, or none. */
  change({ target, parts }) {
    const known = this.#entries.get(target);
    if (!known) return;
    known.entry = { ...known.entry, parts, edited: true };
    const element = this.#element(known.entry, known.follows);
    known.element.replaceWith(element);
    known.element = element;
  }

  #element(entry, follows) {
    const time = new Date(entry.at);
    const stamp = h("time", { datetime: entry.at, title: time.toLocaleString() }, TIME.format(time));
    const classes = ["message", follows && "follows", entry.parts === null && "removed"].filter(Boolean).join(" ");
    const data = { testid: "chat-message", role: entry.role };
    if (entry.role === "customer") {
      return h("li", { class: classes, dataset: data, title: time.toLocaleString() },
        h("span", { class: "sr-only" }, "You: "), bubble(entry, this.#onImage));
    }
    if (entry.role === "system") return h("li", { class: classes, dataset: data }, bubble(entry, this.#onImage));
    const face = entry.role === "bot" ? "🤖" : initials(entry.name);
    return h("li", { class: classes, dataset: data },
      h("span", { class: "avatar", "aria-hidden": "true" }, face),
      h("p", { class: "who" }, h("span", { class: "name" }, entry.name || "Agent"), " · ", stamp),
      bubble(entry, this.#onImage));
  }
}

/** The vocabulary's kinds of message as elements, and as one line of text. Unknown kinds keep their readable words. */

import { h, icon } from "./dom.js";
import { linkify, link, markdown } from "./markdown.js";
import { mediaElement } from "./media.js";
import { inlineSource, safeLink } from "./urls.js";

const COLLAPSE_AT = 3_000;

function text(content, words) {
  if (typeof words !== "string" || words === "") return null;
  if (words.length <= COLLAPSE_AT) return content(words);
  const body = h("div", { class: "collapsible is-collapsed" }, content(words));
  const toggle = h("button", { type: "button", class: "link-button", "aria-expanded": "false" }, "Show all");
  toggle.addEventListener("click", () => {
    const collapsed = body.classList.toggle("is-collapsed");
    toggle.textContent = collapsed ? "Show all" : "Show less";
    toggle.setAttribute("aria-expanded", String(!collapsed));
  });
  return h("div", null, body, toggle);
}

const plain = (words) => text((all) => h("p", { class: "plain" }, linkify(all)), words);

function location({ latitude, longitude, title, address }) {
  const known = Number.isFinite(latitude) && Number.isFinite(longitude);
  const degrees = known ? `${Math.abs(latitude).toFixed(5)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude).toFixed(5)}° ${longitude < 0 ? "W" : "E"}` : "Unknown place";
  const map = known ? `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}` : null;
  return h("div", { class: "place" }, icon("pin"),
    h("div", null,
      title ? h("strong", null, title) : null,
      address ? h("span", { class: "place-address" }, address) : null,
      h("span", { class: "place-degrees" }, degrees),
      map ? link(map, "Open in a map") : null));
}

function action({ kind, label, value }) {
  const words = String(label ?? value ?? "");
  if (kind === "url" && safeLink(value)) {
    return h("a", { class: "option", href: safeLink(value), target: "_blank", rel: "noopener noreferrer nofollow", title: safeLink(value) }, words, icon("external"));
  }
  return h("span", { class: "option" }, words);
}

function card({ title, subtitle, image_url: picture, actions }) {
  const source = inlineSource(picture, "image");
  const shown = source ? h("img", { class: "card-image", src: source, alt: "" }) : null;
  shown?.addEventListener("error", () => shown.remove(), { once: true });
  return h("div", { class: "card" }, shown,
    h("div", { class: "card-body" },
      h("strong", null, title),
      subtitle ? h("span", { class: "card-subtitle" }, subtitle) : null,
      !source && safeLink(picture) ? link(picture, "Picture") : null,
      h("div", { class: "options" }, items(actions).map(action))));
}

function items(value) {
  return Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : [];
}

function carousel(message) {
  const cards = items(message.items);
  return h("div", { class: "carousel", role: "group", tabindex: "0", "aria-label": `${cards.length} cards` }, cards.map(card));
}

function question(kind) {
  return (message) => [
    plain(message.text),
    h("ul", { class: `options options-${kind}`, "aria-label": "Offered answers" }, items(message.options).map((option) => h("li", { class: "option" }, option.label ?? option.value))),
  ];
}

const WORDS = ["text", "markdown", "title", "question", "caption", "subtitle", "label", "name", "address", "description", "body"];

/** The readable words of a message of a kind this page does not know, at most a few lines. */
function wordsOf(message) {
  const found = [];
  for (const name of WORDS) if (typeof message[name] === "string" && message[name]) found.push(message[name]);
  for (const value of Object.values(message)) for (const item of items(value).slice(0, 20)) found.push(...wordsOf(item));
  return found.slice(0, 30);
}

function unknown(message) {
  return h("div", { class: "unknown" },
    h("p", { class: "unknown-title" }, icon("info"), `A message of the kind “${String(message.type ?? "?").slice(0, 60)}”, which this page cannot show in full.`),
    wordsOf(message).map((words) => plain(words)));
}

const RENDERERS = {
  text: (message) => plain(message.text),
  markdown: (message) => text(markdown, message.markdown),
  image: mediaElement,
  audio: mediaElement,
  video: mediaElement,
  file: mediaElement,
  location,
  card,
  carousel,
  choice: question("choice"),
  dropdown: question("dropdown"),
  bloc: (message) => h("div", { class: "bloc" }, items(message.items).map(renderMessage)),
};

/** A message as elements (an array of nodes, possibly nested). */
export function renderMessage(message) {
  if (!message) return [];
  const render = Object.hasOwn(RENDERERS, message.type) ? RENDERERS[message.type] : unknown;
  return [render(message)];
}

const SHORT = {
  text: (message) => message.text,
  markdown: (message) => message.markdown,
  image: (message) => message.title || "Picture",
  audio: () => "Sound recording",
  video: (message) => message.title || "Video",
  file: (message) => message.name || message.title || "File",
  location: (message) => message.title || message.address || "Location",
  card: (message) => message.title,
  carousel: (message) => items(message.items).map((item) => item.title).join(", "),
  choice: (message) => message.text,
  dropdown: (message) => message.text,
  bloc: (message) => items(message.items).map(summary).join(" · "),
};

/** A message in one line, for lists, notifications and screen readers. */
export function summary(message) {
  if (!message) return "";
  const short = Object.hasOwn(SHORT, message.type) ? SHORT[message.type](message) : wordsOf(message).join(" ") || `(${message.type ?? "unknown"})`;
  return String(short ?? "").replace(/\s+/gu, " ").trim().slice(0, 300);
}

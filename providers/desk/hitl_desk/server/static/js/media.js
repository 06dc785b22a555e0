/** Pictures, sound, film and files in messages. What the page may not load itself becomes a link that says so. */

import { h, hiddenText, icon } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { fileNameOf, hostOf, inlineSource, ownAddress, safeLink, sizeText } from "./urls.js";

const NAMES = { image: "Picture", audio: "Sound recording", video: "Video", file: "File" };

/** The kind of message an attachment is shown as. */
export function kindOf(contentType) {
  const kind = String(contentType ?? "").split("/")[0];
  return kind in NAMES && kind !== "file" ? kind : "file";
}

function nameOf(media, kind) {
  return media.name || media.title || fileNameOf(media.url) || NAMES[kind];
}

/** Where a file is fetched: the desk's own files as downloads, others as the link they are. */
function downloadOf(address) {
  const own = ownAddress(address);
  if (!own) return safeLink(address);
  const url = new URL(own);
  if (url.pathname.includes("/inbox/api/attachments/")) url.searchParams.set("download", "1");
  return url.href;
}

function chip(media, kind, note = "") {
  const href = downloadOf(media.url);
  const own = ownAddress(media.url) !== null;
  const details = [sizeText(media.size), note || (own ? "" : hostOf(media.url))].filter(Boolean).join(" · ");
  const inside = [
    icon(kind === "file" ? "file" : kind),
    h("span", { class: "chip-text" }, h("span", { class: "chip-name" }, nameOf(media, kind)), h("span", { class: "chip-details" }, details)),
  ];
  if (!href) return h("span", { class: "chip" }, inside);
  const target = own ? { download: media.name || true } : { target: "_blank", rel: "noopener noreferrer nofollow" };
  return h("a", { class: "chip", href, ...target }, hiddenText(own ? "Download " : "Open "), inside, icon(own ? "download" : "external", "chip-action"));
}

/** Show a file as a link instead, which carries its title itself. */
function giveUp(element, link) {
  element.parentElement?.querySelector("figcaption")?.remove();
  element.replaceWith(link);
}

function image(media, source) {
  const name = nameOf(media, "image");
  const picture = h("img", { class: "media-image", src: source, alt: media.title || media.name || "Picture without description", loading: "eager" });
  const button = h("button", {
    type: "button",
    class: "media-button",
    dataset: { lightbox: "", name, source, download: downloadOf(media.url) ?? "" },
    "aria-label": `Enlarge ${name}`,
    onclick: () => openLightbox(button),
  }, picture);
  picture.addEventListener("error", () => giveUp(button, chip(media, "image", "cannot be shown")), { once: true });
  return button;
}

function player(media, kind, source) {
  const element = h(kind, { class: `media-${kind}`, src: source, controls: true, preload: "metadata", "aria-label": nameOf(media, kind) });
  element.addEventListener("error", () => giveUp(element, chip(media, kind, "cannot be played")), { once: true });
  return element;
}

/**
 * A picture, sound, film or file.
 *
 * @param media `{type, url, title, name, content_type, size}`.
 */
export function mediaElement(media) {
  const kind = media.type in NAMES ? media.type : "file";
  const source = kind === "file" ? null : inlineSource(media.url, kind);
  let shown;
  if (!source) shown = chip(media, kind, media.url ? "" : "not available here");
  else if (kind === "image") shown = image(media, source);
  else shown = player(media, kind, source);
  const caption = media.title && media.title !== media.name && source ? h("figcaption", null, media.title) : null;
  return h("figure", { class: `media media-of-${kind}` }, shown, caption);
}

/** An uploaded attachment, `{id, name, content_type, size, url}`. */
export function attachmentElement(attachment) {
  return mediaElement({ ...attachment, type: kindOf(attachment.content_type) });
}

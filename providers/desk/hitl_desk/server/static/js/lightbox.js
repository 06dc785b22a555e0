/** Shows a picture of the thread large, with its neighbours a key away. */

import { byId, h, icon } from "./dom.js";

let pictures = [];
let place = 0;
let shown = null;

function control(name, label, onclick) {
  return h("button", { type: "button", class: "lightbox-button", "aria-label": label, title: label, onclick }, icon(name));
}

function build() {
  const image = h("img", { class: "lightbox-image", alt: "", onclick: zoom });
  const stage = h("div", { class: "lightbox-stage", tabindex: "-1", onclick: (event) => event.target === stage && dialog.close() }, image);
  const name = h("span", { class: "lightbox-name" });
  const count = h("span", { class: "lightbox-count" });
  const download = h("a", { class: "lightbox-button", "aria-label": "Download", title: "Download" }, icon("download"));
  const previous = control("chevron-left", "Previous picture", () => move(-1));
  const next = control("chevron-right", "Next picture", () => move(1));
  const enlarge = control("zoom", "Actual size", zoom);
  const bar = h("div", { class: "lightbox-bar" }, name, count, previous, next, enlarge, download, control("close", "Close", () => dialog.close()));
  const dialog = h("dialog", { class: "lightbox", "aria-label": "Picture" }, bar, stage);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") move(-1);
    else if (event.key === "ArrowRight") move(1);
    else if (event.key === "+" || event.key === "-") zoom();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    image.removeAttribute("src");
    pictures[place]?.focus({ preventScroll: true });
  });
  byId("dialogs").append(dialog);
  return { dialog, image, name, count, download, previous, next, enlarge };
}

function zoom() {
  const large = shown.dialog.classList.toggle("is-large");
  shown.enlarge.setAttribute("aria-pressed", String(large));
}

function show() {
  const { name, source, download } = pictures[place].dataset;
  shown.dialog.classList.remove("is-large");
  shown.enlarge.setAttribute("aria-pressed", "false");
  shown.image.src = source;
  shown.image.alt = name;
  shown.name.textContent = name;
  shown.count.textContent = pictures.length > 1 ? `${place + 1} of ${pictures.length}` : "";
  shown.download.hidden = !download;
  if (download) {
    shown.download.href = download;
    shown.download.download = name;
  }
  for (const button of [shown.previous, shown.next]) button.hidden = pictures.length < 2;
}

function move(step) {
  place = (place + step + pictures.length) % pictures.length;
  show();
}

/** Open the picture behind a button made by the media module. */
export function openLightbox(button) {
  shown ??= build();
  pictures = [...document.querySelectorAll("[data-lightbox]")];
  place = Math.max(0, pictures.indexOf(button));
  show();
  shown.dialog.showModal();
}

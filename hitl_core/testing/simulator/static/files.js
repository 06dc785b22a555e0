/** Files on messages. Their contents are asked for once, when they are to be shown. */

import { api, bytesOf } from "./api.js";
import { h, icon } from "./dom.js";

// Pictures no browser runs anything in.
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

const addresses = new Map();
const asked = new Map();

const keyOf = (session, message, index) => JSON.stringify([session, message, index]);

async function load(session) {
  for (const message of (await api.session(session)).messages) {
    message.files.forEach((file, index) => {
      const key = keyOf(session, message.id, index);
      if (addresses.has(key)) return;
      const bytes = bytesOf(file.content);
      // Anything else is only ever saved: opened in a tab, a page of the customer's would be one of ours.
      const type = PICTURES.has(file.content_type) ? file.content_type : "application/octet-stream";
      addresses.set(key, { url: URL.createObjectURL(new Blob([bytes], { type })), size: bytes.length });
    });
  }
}

async function addressOf(session, message, index) {
  const key = keyOf(session, message, index);
  if (!addresses.has(key)) {
    if (!asked.has(session)) asked.set(session, load(session).finally(() => asked.delete(session)));
    await asked.get(session);
  }
  return addresses.get(key) ?? null;
}

/** Bytes as people read them. */
export function size(bytes) {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** One file of a message: a picture, or something to save. `loaded` is called when its size on the page is known. */
export function fileElement(session, message, file, index, loaded) {
  const place = h("span", { class: "file", dataset: { testid: "file" } });
  const name = file.name || "File";
  const chip = (note) => [icon("file"), h("span", { class: "file-name" }, name), h("span", { class: "muted" }, note)];
  place.append(...chip("…"));
  addressOf(session, message.id, index).then(
    (found) => {
      if (!found) {
        place.replaceChildren(...chip("gone"));
      } else if (PICTURES.has(file.content_type)) {
        const image = h("img", { src: found.url, alt: name, onload: loaded });
        image.addEventListener("error", () => place.replaceChildren(...chip("no picture")), { once: true });
        place.className = "picture";
        place.replaceChildren(h("a", { href: found.url, target: "_blank", rel: "noopener", title: name }, image));
      } else {
        place.replaceChildren(h("a", { class: "file-link", href: found.url, download: name }, chip(size(found.size))));
      }
    },
    () => place.replaceChildren(...chip("cannot be read")),
  );
  return place;
}

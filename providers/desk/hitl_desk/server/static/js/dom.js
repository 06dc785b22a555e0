/**
 * Build and update elements. Whatever is passed as text becomes a text node; there is no way to pass markup,
 * so nothing a customer writes can turn into an element.
 */

import { BASE } from "./base.js";

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = `${BASE}/static/icons.svg`;

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/**
 * An element with attributes, listeners (`onclick: fn`), `dataset` and children (nodes or text).
 * Attributes that are null, undefined or false are left out.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** A decorative icon of the sprite; give it a label by the button or text around it. */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/** Text for screen readers only. */
export function hiddenText(text) {
  return h("span", { class: "sr-only" }, text);
}

/** Put new children in place of the old ones. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Give an element the attributes and children of a fresh one of the same kind, which is used up. */
export function become(element, fresh) {
  for (const { name } of [...element.attributes]) if (!fresh.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  element.replaceChildren(...fresh.childNodes);
}

const kept = new WeakMap();

/**
 * Bring a parent's children in line with `items`, touching only what changed: a playing video, a selection or the
 * focus survives an update elsewhere.
 *
 * @param items `{key, sign, build, update, refresh}`; when `sign` differs from last time the element is built again, or brought
 *   up to date in its place when there is an `update`. `refresh`, when there is one, sees the element every time.
 */
export function reconcile(parent, items) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  const active = document.activeElement;
  const wanted = new Set(items.map(({ key }) => key));
  for (const [key, { element }] of before) if (!wanted.has(key)) element.remove();
  let place = parent.firstElementChild;
  for (const { key, sign, build, update, refresh } of items) {
    const old = before.get(key);
    let element = old?.element;
    if (old && old.sign !== sign && update) {
      update(element);
    } else if (!old || old.sign !== sign) {
      element = build();
      if (old) {
        const focused = old.element.contains(active) ? active.dataset.focusKey : null;
        if (place === old.element) place = element;
        old.element.replaceWith(element);
        if (focused) element.querySelector(`[data-focus-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      }
    }
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      const focused = element.contains(active) ? active : null;
      parent.insertBefore(element, place);
      focused?.focus({ preventScroll: true });
    }
    refresh?.(element);
    after.set(key, { sign, element });
  }
  kept.set(parent, after);
}

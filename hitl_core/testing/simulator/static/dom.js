/** Build elements. Text becomes text nodes; there is no way to pass markup, whatever anybody writes. */

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/** An element with attributes, listeners (`onclick`), `dataset` and children; what is null or false is left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") element.append(child);
  }
  return element;
}

/** A decorative icon of the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const shown = new WeakMap();

/**
 * Bring a parent's children in line with items of `{key, sign, build}`. What has the same sign as before is not touched,
 * so that focus, selection and loaded pictures stay.
 */
export function reconcile(parent, items) {
  const before = shown.get(parent) ?? new Map();
  const after = new Map();
  const keys = new Set(items.map(({ key }) => key));
  for (const [key, { element }] of before) if (!keys.has(key)) element.remove();
  let place = parent.firstElementChild;
  for (const { key, sign, build } of items) {
    const old = before.get(key);
    let element = old?.element;
    if (!old || old.sign !== sign) {
      element = build();
      if (old) {
        const focused = old.element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        if (place === old.element) place = element;
        old.element.replaceWith(element);
        const heir = focused && element.querySelector(`[data-focus="${CSS.escape(focused)}"]`);
        heir?.focus({ preventScroll: true });
      }
    }
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      const focused = element.contains(document.activeElement) ? document.activeElement : null;
      parent.insertBefore(element, place);
      focused?.focus({ preventScroll: true });
    }
    after.set(key, { sign, element });
  }
  shown.set(parent, after);
}

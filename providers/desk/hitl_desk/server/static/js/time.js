/** Times as people read them: relative in lists, absolute in the thread, both in the tooltip. */

import { h } from "./dom.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const shortFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dateFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const weekdayFormat = new Intl.DateTimeFormat("en-GB", { weekday: "long" });
const fullFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

function parse(iso) {
  const moment = new Date(iso ?? NaN);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

function midnight(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}

/** Length of a span such as "4 min", "3 h" or "2 d". */
export function span(milliseconds) {
  if (milliseconds < MINUTE) return "now";
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return `${Math.floor(milliseconds / DAY)} d`;
}

/** How long ago: "now", "4 min", "3 h", "2 d", then the date. */
export function ago(iso, now = Date.now()) {
  const moment = parse(iso);
  if (!moment) return "";
  const passed = now - moment.getTime();
  return passed < 7 * DAY ? span(passed) : date(iso, now);
}

/** The time of day. */
export function clock(iso) {
  const moment = parse(iso);
  return moment ? clockFormat.format(moment) : "";
}

/** Day, and the year when it is another than this. */
export function date(iso, now = Date.now()) {
  const moment = parse(iso);
  if (!moment) return "";
  const same = moment.getFullYear() === new Date(now).getFullYear();
  return (same ? shortFormat : dateFormat).format(moment);
}

/** The day by name: "Today", "Yesterday", a weekday, or the date. */
export function day(iso, now = Date.now()) {
  const moment = parse(iso);
  if (!moment) return "";
  const passed = Math.round((midnight(new Date(now)) - midnight(moment)) / DAY);
  if (passed === 0) return "Today";
  if (passed === 1) return "Yesterday";
  return passed > 1 && passed < 7 ? weekdayFormat.format(moment) : date(iso, now);
}

/** A key that is the same for all moments of one day. */
export function dayKey(iso) {
  const moment = parse(iso);
  return moment ? String(midnight(moment)) : "";
}

/** Day and time of day, such as "Today, 10:42". */
export function moment(iso) {
  return parse(iso) ? `${day(iso)}, ${clock(iso)}` : "";
}

/** The whole moment, for tooltips. */
export function full(iso) {
  const at = parse(iso);
  return at ? fullFormat.format(at) : "";
}

/** Milliseconds since a moment, never below zero; null without one. */
export function since(iso, now = Date.now()) {
  const at = parse(iso);
  return at ? Math.max(0, now - at.getTime()) : null;
}

const WRITERS = { ago, clock, moment, date };

/** A `<time>` element; `style` is ago, clock, moment or date. Relative ones are refreshed by {@link refreshTimes}. */
export function timeElement(iso, style = "ago", className = null) {
  if (!parse(iso)) return null;
  const props = { class: className, datetime: iso, title: full(iso), dataset: { style } };
  return h("time", props, WRITERS[style](iso));
}

/** Bring every relative time on the page up to date. */
export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-style='ago'], time[data-style='moment']")) {
    const text = WRITERS[element.dataset.style](element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

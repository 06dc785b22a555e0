/** Small signs of a ticket's state: priority, waiting time, category. */

import { h, hiddenText, icon } from "./dom.js";
import { since, timeElement } from "./time.js";

const MINUTE = 60_000;
const PRIORITIES = { low: "Low", medium: "Medium", high: "High", urgent: "Urgent" };
const CATEGORIES = { triage: "New", open: "Open", waiting: "Waiting for customer", closed: "Closed" };
const ENDS = {
  resolved: "resolved",
  agent_closed: "closed by an agent",
  customer_left: "the customer left",
  bot_resolved: "the bot resolved it",
  timeout: "nobody answered in time",
  error: "an error ended it",
};

/** A priority's name for people. */
export const priorityName = (priority) => PRIORITIES[priority] ?? priority;

/** A category's name for people. */
export const categoryName = (category) => CATEGORIES[category] ?? category;

/** All priorities, lowest first, as `[value, name]`. */
export const priorities = () => Object.entries(PRIORITIES);

/** Why a ticket was closed, in words; empty when no reason is known. */
export function reasonText(reason) {
  return reason ? (ENDS[reason] ?? String(reason).replaceAll("_", " ")) : "";
}

/** A badge of the priority; a medium one has none. */
export function priorityBadge(priority) {
  if (!PRIORITIES[priority] || priority === "medium") return null;
  return h("span", { class: `badge badge-${priority}` }, PRIORITIES[priority], hiddenText(" priority"));
}

export function categoryBadge(category) {
  return h("span", { class: `badge badge-${category}` }, categoryName(category));
}

/** How long a customer has waited: calm up to five minutes, then amber, from fifteen on red. */
export function waitLevel(iso) {
  const waited = since(iso);
  if (waited === null) return "none";
  if (waited < 5 * MINUTE) return "calm";
  return waited < 15 * MINUTE ? "warm" : "hot";
}

/** A badge of the waiting time, or null when the customer does not wait. */
export function waitBadge(iso) {
  const level = waitLevel(iso);
  if (level === "none") return null;
  return h("span", { class: `wait wait-${level}` }, icon("clock"), hiddenText("Waits for an answer: "), timeElement(iso, "ago"));
}

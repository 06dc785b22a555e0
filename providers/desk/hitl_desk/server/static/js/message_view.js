/** One line of the thread: a message, a note, a line of the desk, or a message still on its way. */

import { avatar } from "./avatar.js";
import { fill, h, hiddenText, icon } from "./dom.js";
import { attachmentElement } from "./media.js";
import { renderMessage } from "./render_message.js";
import { store } from "./store.js";
import { clock, full, timeElement } from "./time.js";

const ROLE_NAMES = { customer: "Customer", bot: "Bot", agent: "Agent", system: "Desk" };
/** Kinds with a frame of their own, which need no bubble around it. */
const BARE = new Set(["image", "audio", "video", "file", "card", "carousel"]);
const DELIVERY = {
  recorded: ["check", "Recorded by the desk; the bot has not fetched it yet"],
  delivered: ["checks", "Delivered to the bot"],
  failed: ["alert", "Not delivered: the bot cannot be reached"],
};

/** A writer's role, under one name wherever it comes from. */
export const roleOf = (author) => (author?.role === "user" ? "customer" : (author?.role ?? "system"));

/** A writer's name for people. */
export function authorName(author) {
  const role = roleOf(author);
  if (role === "agent" && author.id && author.id === store.me.id) return "You";
  if (author?.name) return author.name;
  return (role === "customer" && store.open?.customer?.name) || ROLE_NAMES[role] || "Desk";
}

function head(author, at, grouped) {
  const name = authorName(author);
  if (grouped) return hiddenText(`${name}, ${clock(at)}: `);
  return h("div", { class: "line-head" }, h("span", { class: "line-author" }, name), timeElement(at, "clock", "line-time"));
}

/** Show on a line how far its message has come; the rest of the line, which may be playing or selected, stays. */
export function showDelivery(element, delivery) {
  if ((element.dataset.delivery ?? "") === (delivery ?? "")) return;
  if (delivery) element.dataset.delivery = delivery;
  else delete element.dataset.delivery;
  const [sign, text] = DELIVERY[delivery] ?? [null, ""];
  const place = element.querySelector(".delivery");
  if (!place) return;
  place.className = `delivery delivery-${delivery}`;
  place.title = text;
  fill(place, sign ? icon(sign) : null, delivery === "failed" ? "Not delivered" : hiddenText(text));
}

function body(message, attachments) {
  return [renderMessage(message), (attachments ?? []).map(attachmentElement)];
}

function line({ role, kind, grouped, className = "", dataset = {}, face, bubble, beside = null, below = null }) {
  const side = role === "customer" ? "in" : "out";
  return h("li", {
    class: `line line-${side} line-of-${role} kind-${kind}${grouped ? " is-grouped" : ""} ${className}`.trim(),
    dataset: { testid: "message", role, kind, ...dataset },
  }, face, h("div", { class: "line-main" }, bubble, beside, below));
}

function face(author, grouped) {
  if (grouped) return h("span", { class: "face" });
  const role = roleOf(author);
  const { customer } = store.open;
  const person = role === "customer" ? { id: customer.id, name: customer.name || author?.name, avatar_url: customer.avatar_url } : author;
  return h("span", { class: "face" }, avatar(person, { size: "small", role }));
}

/** Whether the signed-in agent may change a message. */
export function isOwn(message) {
  return message.author?.role === "agent" && message.author.id === store.me.id && !message.deleted && message.kind !== "system";
}

/** A message of the thread. `onEdit` and `onDelete` are offered for the agent's own. */
export function messageLine(message, { grouped, onEdit, onDelete }) {
  if (message.kind === "system") {
    return h("li", { class: "event-line", dataset: { testid: "message", role: "system", kind: "system", messageId: message.id } },
      h("span", null, message.message?.text ?? ""), timeElement(message.created_at, "clock", "line-time"));
  }
  const role = roleOf(message.author);
  const note = message.kind === "note";
  const content = message.deleted
    ? h("p", { class: "gone" }, note ? "Note deleted" : "Message taken back")
    : body(message.message, message.attachments);
  const bare = !note && !message.deleted && BARE.has(message.message?.type) && (message.attachments ?? []).length === 0;
  const bubble = h("div", { class: `bubble${bare ? " is-bare" : ""}` },
    note && !message.deleted ? h("p", { class: "note-label" }, icon("lock"), h("span", null, "Note"), h("span", { class: "note-audience" }, "Only agents see this")) : null,
    content,
    message.edited_at && !message.deleted ? h("span", { class: "edited", title: full(message.edited_at) }, "edited") : null);
  const own = isOwn(message);
  const beside = h("span", { class: "beside" },
    own && message.message?.type === "text" ? tool("edit", note ? "Edit note" : "Edit message", onEdit, "message-edit") : null,
    own ? tool("trash", note ? "Delete note" : "Take message back", onDelete, "message-delete") : null,
    note || message.deleted ? null : h("span", { class: "delivery" }));
  return line({
    role,
    kind: message.kind,
    grouped,
    dataset: { messageId: message.id },
    face: face(message.author, grouped),
    bubble: [head(message.author, message.created_at, grouped), h("div", { class: "bubble-row" }, bubble, beside)],
  });
}

function tool(name, label, onclick, testid) {
  return h("button", { type: "button", class: "icon-button line-tool", "aria-label": label, title: label, onclick, dataset: { testid } }, icon(name));
}

/** The box to change one's own message in. */
export function editLine(message, { onSave, onCancel }) {
  const area = h("textarea", { class: "edit-text", rows: "3", "aria-label": "Change the message", dataset: { testid: "edit-text", focusKey: "edit" } });
  area.value = message.message?.text ?? "";
  const save = () => area.value.trim() && onSave(area.value.trim());
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const bubble = h("div", { class: "bubble is-editing" }, area,
    h("div", { class: "edit-actions" },
      h("button", { type: "button", class: "button button-small", onclick: onCancel }, "Cancel"),
      h("button", { type: "button", class: "button button-small button-primary", onclick: save, dataset: { testid: "edit-save" } }, "Save")));
  return line({ role: "agent", kind: message.kind, grouped: true, dataset: { messageId: message.id }, face: face(null, true), bubble: h("div", { class: "bubble-row" }, bubble) });
}

/** A message on its way, or one that did not get through. */
export function unsentLine(entry, { grouped, onRetry, onDiscard }) {
  const note = entry.kind === "note";
  const failed = entry.state === "failed";
  const bubble = h("div", { class: "bubble" },
    note ? h("p", { class: "note-label" }, icon("lock"), h("span", null, "Note"), h("span", { class: "note-audience" }, "Only agents see this")) : null,
    entry.text ? renderMessage({ type: "text", text: entry.text }) : null,
    entry.attachments.map(attachmentElement));
  const below = failed
    ? h("div", { class: "unsent", role: "alert" }, icon("alert"), h("span", null, `Not sent. ${entry.error}`),
      h("button", { type: "button", class: "link-button", onclick: onRetry, dataset: { testid: "message-retry", focusKey: "retry" } }, "Retry"),
      h("button", { type: "button", class: "link-button", onclick: onDiscard, dataset: { testid: "message-discard" } }, "Back to the box"))
    : h("div", { class: "unsent is-sending" }, "Sending…");
  return line({
    role: "agent",
    kind: note ? "note" : "message",
    grouped,
    className: failed ? "is-failed" : "is-sending",
    dataset: { state: entry.state },
    face: face(store.me, grouped),
    bubble: [head({ ...store.me, role: "agent" }, entry.at, grouped), h("div", { class: "bubble-row" }, bubble), below],
  });
}

/** One entry of the conversation before the hand-over. */
export function transcriptLine(entry, grouped) {
  const role = roleOf(entry.author);
  return line({
    role,
    kind: "transcript",
    grouped,
    face: face(entry.author, grouped),
    bubble: [head(entry.author, entry.sent_at, grouped), h("div", { class: "bubble" }, body(entry.message, []))],
  });
}

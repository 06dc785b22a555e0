/** Where agents write. Replies go to the customer, notes to colleagues; each has its own text, colour and button. */

import { reopen } from "./actions.js";
import { reasonText } from "./badges.js";
import { byId, fill, h, icon } from "./dom.js";
import { draft, dropDraft, hasDraft, keepDraft, keepMode, modeOf } from "./drafts.js";
import { kindOf } from "./media.js";
import { discard, send } from "./outbox.js";
import { settle, writing } from "./presence.js";
import { choose, onChoice, settings } from "./settings.js";
import { store } from "./store.js";
import { toNewest } from "./thread.js";
import { moment } from "./time.js";
import { announce, toast } from "./toast.js";
import { MOST_FILES, addFiles, cancelUpload, isUploading, retryUpload, uploadsOf } from "./uploads.js";
import { sizeText } from "./urls.js";

const TALLEST = 240;
/** Most characters the desk takes in one message, and from how many on the composer counts them. */
const LONGEST = 65_536;
const NEARLY = LONGEST * 0.95;
const MODES = ["reply", "note"];

let shown = "";
/** Newest message each draft was begun after, to tell when a colleague answered meanwhile. */
const begunAt = new Map();

const ticketId = () => store.open?.id ?? null;
const isClosed = () => store.openRow?.category === "closed";
/** A closed ticket takes notes only. */
const mode = () => (isClosed() ? "note" : modeOf(ticketId()));
const box = () => byId("composer-text");

function fit() {
  const area = box();
  area.style.height = "auto";
  area.style.height = `${Math.min(TALLEST, area.scrollHeight + 2)}px`;
}

function newest() {
  return store.open?.messages?.at(-1)?.seq ?? 0;
}

function warn(text) {
  const place = byId("collision");
  if (!text && !place.dataset.warning) return;
  place.hidden = !text;
  if (text) place.dataset.warning = "yes";
  else delete place.dataset.warning;
  fill(place, text ? [icon("alert"), text] : null);
}

function drawUploads() {
  const ticket = ticketId();
  if (!ticket) return;
  const current = mode();
  const done = draft(ticket, current).attachments.map((file) => h("li", { class: "upload" },
    icon(kindOf(file.content_type)), h("span", { class: "upload-name" }, file.name), h("span", { class: "upload-size" }, sizeText(file.size)),
    h("button", { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, onclick: () => {
      keepDraft(ticket, current, { attachments: draft(ticket, current).attachments.filter(({ id }) => id !== file.id) });
      draw();
    } }, icon("close"))));
  const running = uploadsOf(ticket, current).map((entry) => h("li", { class: `upload${entry.error ? " is-failed" : ""}` },
    icon(entry.error ? "alert" : "file"), h("span", { class: "upload-name" }, entry.name),
    entry.error
      ? [h("span", { class: "upload-error", role: "alert" }, entry.error), entry.passing ? h("button", { type: "button", class: "link-button", onclick: () => retryUpload(entry) }, "Retry") : null]
      : h("progress", { max: "1", value: entry.share, "aria-label": `Uploading ${entry.name}` }),
    h("button", { type: "button", class: "icon-button", "aria-label": `Cancel ${entry.name}`, onclick: () => cancelUpload(entry) }, icon("close"))));
  fill(byId("uploads"), done, running);
  drawSend();
}

/** How many characters the desk will count, which are not JavaScript's where a text has emoji; exact near the limit. */
function lengthOf(text) {
  return text.length < NEARLY ? text.length : [...text].length;
}

function drawCount(text) {
  const place = byId("composer-count");
  const length = lengthOf(text);
  const over = length > LONGEST;
  if (over && !place.classList.contains("is-over")) announce("The text is too long to be sent.");
  place.hidden = length < NEARLY;
  place.classList.toggle("is-over", over);
  box().setAttribute("aria-invalid", String(over));
  const shown = (number) => number.toLocaleString("en");
  place.textContent = over ? `${shown(length - LONGEST)} too many characters` : `${shown(length)} of ${shown(LONGEST)} characters`;
  return over;
}

function drawSend() {
  const ticket = ticketId();
  const current = mode();
  const { text, attachments } = draft(ticket, current);
  const uploading = isUploading(ticket, current);
  const tooLong = drawCount(text.trim());
  const button = byId("send");
  button.disabled = uploading || tooLong || (text.trim() === "" && attachments.length === 0);
  const confirming = byId("collision").dataset.warning && current === "reply";
  fill(button, uploading ? "Uploading…" : current === "note" ? [icon("lock"), "Add note"] : confirming ? "Send anyway" : "Send reply");
  for (const one of MODES) byId(`mode-${one}`).querySelector(".mode-draft").hidden = one === current || !hasDraft(ticket, one);
}

function draw() {
  const ticket = ticketId();
  const ready = store.open?.phase === "ready";
  byId("composer").hidden = !ready;
  if (!ready) {
    shown = "";
    return;
  }
  const current = mode();
  const name = store.openRow?.customer?.name || "the customer";
  const note = current === "note";
  byId("composer").dataset.mode = current;
  byId("closed-bar").hidden = !isClosed();
  if (isClosed()) {
    const { closed_at: at, close_reason: reason } = store.open.ticket;
    byId("closed-text").textContent = [`Closed${at ? ` ${moment(at)}` : ""}`, reasonText(reason)].filter(Boolean).join(" · ");
  }
  for (const one of MODES) {
    byId(`mode-${one}`).setAttribute("aria-pressed", String(one === current));
    byId(`mode-${one}`).classList.toggle("is-active", one === current);
  }
  byId("mode-reply").disabled = isClosed();
  const key = `${ticket}\n${current}`;
  const area = box();
  if (key !== shown) {
    shown = key;
    warn("");
    area.value = draft(ticket, current).text;
    area.placeholder = note ? "Write a note for your colleagues…" : `Write to ${name}…`;
    area.setAttribute("aria-label", note ? "Note, only agents see this" : `Reply to ${name}`);
    fit();
  }
  const audience = byId("audience");
  if (audience.dataset.key !== `${key}${name}`) {
    audience.dataset.key = `${key}${name}`;
    fill(audience, note ? [icon("lock"), "Only agents see this"] : `${name} will see this`);
  }
  drawUploads();
}

function changedText() {
  const ticket = ticketId();
  const current = mode();
  const area = box();
  // A note begun on a closed ticket stays one, also when somebody reopens the ticket meanwhile.
  if (isClosed()) keepMode(ticket, "note");
  if (!hasDraft(ticket, current)) begunAt.set(shown, newest());
  keepDraft(ticket, current, { text: area.value });
  if (!area.value.trim()) warn("");
  fit();
  drawSend();
  if (current !== "reply") return;
  if (area.value.trim()) writing(ticket);
  else settle();
}

/** Name of a colleague who answered the customer since this reply was begun, or null. */
function answeredMeanwhile() {
  const since = begunAt.get(shown);
  if (mode() !== "reply" || since === undefined) return null;
  const other = store.open.messages.find(({ seq, kind, author, deleted }) => seq > since && kind === "message" && !deleted && author.role === "agent" && author.id !== store.me.id);
  return other ? other.author.name || "A colleague" : null;
}

function submit() {
  const ticket = ticketId();
  const current = mode();
  if (!ticket || byId("send").disabled) return;
  const other = answeredMeanwhile();
  if (other && !byId("collision").dataset.warning) {
    warn(`${other} answered while you were writing. Read it, then send anyway or change your reply.`);
    drawSend();
    toNewest();
    return;
  }
  const { text, attachments } = draft(ticket, current);
  begunAt.delete(shown);
  dropDraft(ticket, current);
  warn("");
  box().value = "";
  fit();
  settle();
  void send(ticket, current, text.trim(), attachments);
  draw();
  toNewest();
  box().focus();
}

/** Put a message that was not sent back into its box, before what is there. */
export function takeBack(entry) {
  discard(entry.ref);
  const before = draft(entry.ticket, entry.kind);
  keepDraft(entry.ticket, entry.kind, {
    text: [entry.text, before.text].filter(Boolean).join("\n\n"),
    attachments: [...entry.attachments, ...before.attachments],
  });
  shown = "";
  setMode(entry.kind);
}

/** Choose between reply and note, and go to the box. */
export function setMode(next) {
  const ticket = ticketId();
  if (!ticket || store.open.phase !== "ready") return;
  if (next === "reply" && isClosed()) {
    toast("The ticket is closed. Reopen it to reply.");
    return;
  }
  if (next === "note") settle();
  keepMode(ticket, next);
  draw();
  box().focus();
}

function take(files) {
  const ticket = ticketId();
  if (!ticket || files.length === 0) return;
  const refused = addFiles(ticket, mode(), files);
  if (refused > 0) toast(`A message takes at most ${MOST_FILES} files; ${refused} left out.`, "error");
  box().focus();
}

function onKey(event) {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape") {
    box().blur();
    byId("thread").focus();
    return;
  }
  if (event.key !== "Enter") return;
  const strong = event.ctrlKey || event.metaKey;
  if (!strong && (!settings().enterSends || event.shiftKey || event.altKey)) return;
  event.preventDefault();
  submit();
}

function startDropping() {
  const pane = byId("thread");
  const hint = byId("drop-hint");
  const holdsFiles = (event) => store.open?.phase === "ready" && [...(event.dataTransfer?.types ?? [])].includes("Files");
  pane.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    hint.hidden = false;
    hint.dataset.mode = mode();
    byId("drop-text").textContent = mode() === "note" ? "Drop files into the note" : "Drop files into the reply";
  });
  pane.addEventListener("dragleave", (event) => {
    if (!pane.contains(event.relatedTarget)) hint.hidden = true;
  });
  pane.addEventListener("drop", (event) => {
    hint.hidden = true;
    if (!holdsFiles(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  // A file dropped beside the conversation must not replace the page.
  for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
}

function drawTip() {
  byId("composer-tip").textContent = settings().enterSends ? "Enter sends" : `${/mac/iu.test(navigator.platform) ? "⌘" : "Ctrl"}+Enter sends`;
  byId("set-enter").checked = settings().enterSends;
}

/** Begin taking what agents write. */
export function startComposer() {
  store.on("thread", draw);
  store.on("uploads", drawUploads);
  box().addEventListener("input", changedText);
  box().addEventListener("keydown", onKey);
  box().addEventListener("blur", settle);
  box().addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length === 0) return;
    event.preventDefault();
    take(files);
  });
  byId("attach").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });
  for (const one of MODES) byId(`mode-${one}`).addEventListener("click", () => setMode(one));
  byId("send").addEventListener("click", submit);
  byId("reopen").addEventListener("click", () => reopen(ticketId()));
  byId("set-enter").addEventListener("change", (event) => choose({ enterSends: event.target.checked }));
  onChoice(drawTip);
  drawTip();
  startDropping();
}

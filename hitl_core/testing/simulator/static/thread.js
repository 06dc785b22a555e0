/** The chosen session: its head, what can be done to it, and what was said. */

import { api } from "./api.js";
import { byId, h, icon, reconcile } from "./dom.js";
import { edit } from "./edit.js";
import { fileElement } from "./files.js";
import { badges } from "./list.js";
import { me } from "./me.js";
import { work } from "./problem.js";
import { chosen, onRoute } from "./route.js";
import { customerName, offers, onChange, refresh, sessionOf, store } from "./store.js";
import { agentName, hue, initials, moment, plain } from "./words.js";

const MINUTES = 5 * 60 * 1000;
const NEAR = 60;

const scroll = byId("thread-scroll");
let shown = null;
let count = 0;

// What can be done -------------------------------------------------------------------------------------------------

const ACTIONS = [
  { verb: "assign", label: "Take", primary: (s) => !s.agent, when: (s) => s.open && s.agent?.id !== me() },
  { verb: "unassign", label: "Give back", when: (s) => s.open && s.agent },
  { verb: "solve", label: "Solve", when: (s) => s.open },
  { verb: "close", label: "Close", when: (s) => s.open },
  { verb: "reopen", label: "Reopen", primary: () => true, when: (s) => !s.open && !s.final },
];

function actions(session) {
  reconcile(byId("head-actions"), ACTIONS.filter(({ verb, when }) => offers(verb) && when(session)).map((action) => ({
    key: action.verb,
    sign: JSON.stringify([session.id, Boolean(action.primary?.(session))]),
    build: () => h("button", {
      type: "button", class: action.primary?.(session) ? "button button-primary" : "button",
      dataset: { testid: `do-${action.verb}`, focus: action.verb },
      onclick: () => work(async () => {
        await api.act(session.id, action.verb, { agent: me() });
        await refresh();
        // The button is gone, and with it the place of who uses the keyboard.
        if (document.activeElement === document.body) byId("thread").focus({ preventScroll: true });
      }),
    }, action.label),
  })));
}

// What was said ----------------------------------------------------------------------------------------------------

function authorOf(message, customer) {
  if (message.author) return message.author;
  return { user: customer, bot: "Bot", agent: "Agent", system: "Helpdesk" }[message.role];
}

function follows(message, before) {
  if (!before || before.role !== message.role || before.author !== message.author || before.public !== message.public) {
    return false;
  }
  return !message.at || !before.at || new Date(message.at) - new Date(before.at) < MINUTES;
}

function face(session, message, name) {
  if (message.role === "bot") return h("span", { class: "avatar avatar-small avatar-bot", "aria-hidden": "true" }, icon("bot"));
  const seed = message.role === "user" ? session.user_id ?? name : name;
  return h("span", { class: `avatar avatar-small hue-${hue(seed)}`, "aria-hidden": "true" }, initials(name));
}

function line(session, message, name, grouped) {
  const at = moment(message.at);
  const note = !message.public;
  const text = plain(message);
  const changeable = message.role === "agent" && (offers("edit") || offers("delete"));
  const stamp = at ? h("time", { class: "muted", datetime: message.at, title: at.full }, at.short) : null;
  const classes = ["line", `of-${message.role}`, note && "is-note", grouped && "is-grouped"].filter(Boolean).join(" ");
  const data = { testid: "message", role: message.role === "user" ? "customer" : message.role, kind: note ? "note" : "message" };
  return h("li", { class: classes, dataset: data },
    h("span", { class: "face" }, grouped ? null : face(session, message, name)),
    h("div", { class: "line-main" },
      grouped ? h("span", { class: "sr-only" }, `${name}: `) : h("p", { class: "line-head" }, h("span", { class: "line-author" }, name), stamp),
      h("div", { class: "bubble-row" },
        h("div", { class: "bubble" },
          note ? h("p", { class: "note-label" }, icon("lock"), "Note · only agents see this") : null,
          text || message.files.length ? null : h("p", { class: "muted" }, h("em", {}, "Nothing was written")),
          text ? h("p", { class: "words" }, text) : null,
          message.files.map((file, index) => fileElement(session.id, message, file, index, stay))),
        changeable ? h("button", {
          type: "button", class: "icon-button line-tool", "aria-label": "Change this message", title: "Change this message",
          dataset: { testid: "message-edit", focus: "edit" }, onclick: () => edit(session.id, message.id, text),
        }, icon("edit")) : null)));
}

function lines(session) {
  const customer = customerName(session);
  const times = new Map();
  return session.messages.map((message, index) => {
    const again = times.get(message.id) ?? 0; // a helpdesk's ids are its own business
    times.set(message.id, again + 1);
    const name = authorOf(message, customer);
    const grouped = follows(message, session.messages[index - 1]);
    return {
      key: JSON.stringify([session.id, message.id, again]),
      sign: JSON.stringify([message, name, grouped]),
      build: () => line(session, message, name, grouped),
    };
  });
}

// Where it is scrolled to ------------------------------------------------------------------------------------------

let atEnd = true;
let heights = "";

function below() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
}

/** Stay at the end, for who was there. */
function stay() {
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  heights = `${scroll.scrollHeight} ${scroll.clientHeight}`;
}

scroll.addEventListener("scroll", () => {
  // Where something has grown, it was not the agent who scrolled.
  if (heights !== `${scroll.scrollHeight} ${scroll.clientHeight}`) return stay();
  atEnd = below() < NEAR;
  if (atEnd) byId("jump").hidden = true;
});
byId("jump").addEventListener("click", () => {
  atEnd = true;
  stay();
});
byId("facts").addEventListener("toggle", () => {
  atEnd = below() < NEAR;
  stay();
});
new ResizeObserver(stay).observe(scroll);

// What the helpdesk knows ------------------------------------------------------------------------------------------

function facts(session) {
  const user = store.users.get(session.user_id);
  const known = {
    Session: session.id,
    "Bot's reference": session.external_id,
    Agent: agentName(session.agent),
    Team: session.team,
    Customer: user && [user.name, user.email, user.phone, user.external_id].filter(Boolean).join(" · "),
    ...session.facts,
  };
  const empty = (value) => (value instanceof Object ? Object.keys(value).length === 0 : value === null || value === undefined || value === "");
  const there = Object.entries(known).filter(([, value]) => !empty(value));
  const simple = (value) => typeof value !== "object";
  const words = (value) => (simple(value) ? String(value) : Array.isArray(value) && value.every(simple) ? value.join(", ") : JSON.stringify(value));
  byId("facts-list").replaceChildren(...there.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, words(value))]));
}

// All of it --------------------------------------------------------------------------------------------------------

function render() {
  const id = chosen();
  const session = id === null ? null : sessionOf(id);
  byId("app").dataset.pane = id === null ? "list" : "thread";
  byId("thread-body").hidden = !session;
  byId("thread-empty").hidden = Boolean(session);
  if (!session) {
    missing(id);
    shown = null;
    return;
  }
  byId("head-name").textContent = customerName(session);
  byId("head-title").textContent = session.title || session.id;
  byId("head-badges").replaceChildren(...badges(session));
  actions(session);
  facts(session);
  const fresh = shown !== id;
  const more = session.messages.length > count;
  reconcile(byId("lines"), lines(session));
  if (fresh) atEnd = true;
  byId("jump").hidden = fresh || atEnd || !(more || !byId("jump").hidden);
  shown = id;
  count = session.messages.length;
  stay();
}

function missing(id) {
  const lost = id !== null && store.about !== null;
  byId("thread-empty-title").textContent = lost ? "There is no such conversation" : "No conversation chosen";
  byId("thread-empty-text").textContent = lost
    ? "A simulator forgets everything when it ends; this may be one of an earlier run."
    : "Choose one from the list to read and answer it.";
  byId("thread-empty-back").hidden = !lost;
}

onChange(render);
onRoute(render);
byId("me").addEventListener("another-agent", render);

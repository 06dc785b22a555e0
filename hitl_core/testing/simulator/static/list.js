/** The list of sessions, the newest first. */

import { byId, h, reconcile } from "./dom.js";
import { addressOf, chosen, onRoute } from "./route.js";
import { customerName, onChange, store } from "./store.js";
import { agentName, hue, initials, moment, plain } from "./words.js";

let view = "open";
const seen = new Map();

function heard(session) {
  return session.messages.filter((message) => message.role === "user").length;
}

function lastLine(session) {
  const last = session.messages.filter(({ text, files }) => text.trim() || files.length).at(-1);
  if (!last) return "Nothing was said yet";
  const lines = plain(last).split("\n").filter((line) => line.trim());
  const words = lines.at(-1) || (last.files.length ? last.files.map(({ name }) => name).join(", ") : "…");
  return !last.public ? `Note: ${words}` : last.role === "agent" ? `${last.author ?? "Agent"}: ${words}` : words;
}

/** What stands beside a session's name: who has it, and whether it is over. */
export function badges(session) {
  if (!session.open) return [h("span", { class: "badge" }, session.final ? "Ended for good" : "Ended")];
  if (!session.agent) return [h("span", { class: "badge badge-waiting" }, "Waiting")];
  return [h("span", { class: "badge badge-taken" }, agentName(session.agent))];
}

function row(session, name, current, unread) {
  const at = moment(session.messages.at(-1)?.at);
  return h("li", {}, h(
    "a",
    {
      class: unread ? "row is-unread" : "row", href: addressOf(session.id), "aria-current": current ? "true" : null,
      dataset: { testid: "ticket-row", focus: "row", id: session.id },
    },
    h("span", { class: `avatar hue-${hue(session.user_id ?? name)}`, "aria-hidden": "true" }, initials(name)),
    h("span", { class: "row-main" },
      h("span", { class: "row-line" },
        h("span", { class: "row-name" }, name),
        unread ? h("span", { class: "unread-dot" }, h("span", { class: "sr-only" }, "New messages")) : null,
        at ? h("time", { class: "row-time", title: at.full }, at.short) : null),
      h("span", { class: "row-title" }, session.title || session.id),
      h("span", { class: "row-line" }, h("span", { class: "row-last" }, lastLine(session)), badges(session))),
  ));
}

function render() {
  const current = chosen();
  const shown = sessionView(current);
  if (shown && !document.hidden) seen.set(current, heard(shown));
  const open = store.sessions.filter((session) => session.open);
  const ended = store.sessions.filter((session) => !session.open);
  byId("count-open").textContent = String(open.length);
  byId("count-ended").textContent = String(ended.length);
  for (const each of ["open", "ended"]) byId(`view-${each}`).setAttribute("aria-pressed", String(each === view));
  const listed = (view === "open" ? open : ended).slice().reverse();
  reconcile(byId("rows"), listed.map((session) => {
    const name = customerName(session);
    const is = session.id === current;
    const unread = !is && heard(session) > (seen.get(session.id) ?? -1) && session.open;
    return {
      key: session.id,
      sign: JSON.stringify([session, name, is, unread]),
      build: () => row(session, name, is, unread),
    };
  }));
  empty(listed.length === 0, ended.length > 0);
  byId("offline").hidden = store.online;
  const title = store.about?.title ?? "Simulator";
  const waiting = open.filter((session) => !session.agent).length;
  byId("title").textContent = title;
  document.title = `${waiting ? `(${waiting}) ` : ""}Agent · ${title}`;
}

function sessionView(id) {
  return store.sessions.find((session) => session.id === id);
}

function empty(is, others) {
  byId("list-empty").hidden = !is || !store.about;
  byId("list-empty-title").textContent = view === "open" ? "Nobody is waiting" : "Nothing has ended yet";
  byId("list-empty-text").textContent = view !== "open"
    ? "Conversations you have solved or closed appear here."
    : `A conversation appears here as soon as a bot hands it over.${others ? " Those that have ended are under Ended." : ""}`;
}

for (const each of ["open", "ended"]) {
  byId(`view-${each}`).addEventListener("click", () => {
    view = each;
    render();
  });
}
onChange(render);
onRoute(render);
document.addEventListener("visibilitychange", render);

/** Where agents write: an answer, a note, or what the customer would write elsewhere; as far as the simulator can. */

import { api, fileBody } from "./api.js";
import { byId, h, icon, reconcile } from "./dom.js";
import { size } from "./files.js";
import { me } from "./me.js";
import { problem, work } from "./problem.js";
import { chosen, onRoute } from "./route.js";
import { customerName, offers, onChange, refresh, sessionOf } from "./store.js";

const MODES = [
  {
    verb: "reply", label: "Reply", icon: "reply", send: "Send reply", placeholder: "Write a reply",
    audience: (name) => `${name} will see this`,
  },
  {
    verb: "note", label: "Note", icon: "lock", send: "Add note", placeholder: "Write a note",
    audience: () => "Only agents will see this",
  },
  {
    verb: "customer_writes", label: "As the customer", icon: "mail", send: "Send", placeholder: "Write as the customer",
    audience: (name) => `As if ${name} had written by the helpdesk's own channel, such as mail`,
  },
];
const MOST = 10 * 1024 * 1024;

const box = byId("composer");
const text = byId("text");
const drafts = new Map();
let session = null;
let mode = MODES[0];
let files = [];
let sending = false;

function choose(next) {
  mode = next;
  render();
  text.focus();
}

function render() {
  const id = chosen();
  const found = id === null ? null : sessionOf(id);
  if (found?.id !== session?.id) change(found);
  session = found;
  if (!session) return;
  const offered = MODES.filter(({ verb }) => offers(verb));
  if (!offered.includes(mode)) mode = MODES[0];
  const name = customerName(session);
  box.dataset.mode = mode.verb;
  reconcile(byId("modes"), offered.map((each) => ({
    key: each.verb,
    sign: String(each === mode),
    build: () => h("button", {
      type: "button", class: "mode", "aria-pressed": String(each === mode),
      dataset: { testid: `mode-${each.verb}`, focus: each.verb }, onclick: () => choose(each),
    }, icon(each.icon), each.label),
  })));
  byId("audience").textContent = mode.audience(name);
  byId("send").textContent = mode.send;
  byId("audience").title = mode.audience(name);
  text.placeholder = mode.placeholder;
  byId("attach-label").hidden = mode.verb !== "reply" || !offers("attach");
  byId("uploads").hidden = mode.verb !== "reply";
  byId("ended").hidden = session.open;
  byId("ended").textContent = session.final ? "This conversation has ended for good." : "This conversation has ended.";
  byId("composer-box").hidden = session.final && !session.open;
  ready();
}

function change(next) {
  if (session) drafts.set(session.id, { words: text.value, files, mode });
  const draft = next ? drafts.get(next.id) : null;
  text.value = draft?.words ?? "";
  files = draft?.files ?? [];
  mode = draft?.mode ?? MODES[0];
  showFiles();
  grow();
}

function ready() {
  const something = text.value.trim() !== "" || (mode.verb === "reply" && files.length > 0);
  byId("send").disabled = sending || !something;
}

function grow() {
  if (!CSS.supports("field-sizing", "content")) {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 200)}px`;
  }
}

// Files ------------------------------------------------------------------------------------------------------------

function showFiles() {
  byId("uploads").replaceChildren(...files.map((file) => h("li", { class: "upload" },
    icon("file"), h("span", { class: "file-name" }, file.name), h("span", { class: "muted" }, size(file.size)),
    h("button", { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, onclick: () => remove(file) }, icon("close")))));
  ready();
}

function remove(file) {
  files = files.filter((each) => each !== file);
  showFiles();
  text.focus();
}

function add(chosenFiles) {
  if (!offers("attach") || mode.verb !== "reply") return;
  const large = [...chosenFiles].find((file) => file.size > MOST);
  problem(large ? `${large.name} is larger than ${MOST / 1024 / 1024} MB. Choose a smaller one.` : null);
  files = [...files, ...[...chosenFiles].filter((file) => file.size <= MOST)];
  showFiles();
}

byId("attach").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
text.addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length || !offers("attach") || mode.verb !== "reply") return;
  event.preventDefault();
  add(event.clipboardData.files);
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // a file that misses the box must not take the page away
    if (kind === "drop" && session) add(event.dataTransfer?.files ?? []);
  });
}

// Sending ----------------------------------------------------------------------------------------------------------

async function send() {
  if (byId("send").disabled || !session) return;
  const { id } = session;
  const words = text.value.trim();
  const attached = mode.verb === "reply" ? files : [];
  const agent = mode.verb === "customer_writes" ? {} : { agent: me() };
  const verb = attached.length ? "attach" : mode.verb;
  sending = true;
  ready();
  const sent = await work(async () => {
    const contents = attached.length ? { files: await Promise.all(attached.map(fileBody)) } : {};
    await api.act(id, verb, { text: words, ...agent, ...contents });
  });
  sending = false;
  if (sent) sentAway(id, words, attached);
  ready();
  text.focus();
  if (sent) await refresh();
}

/** Empty the box of what was sent; what was written meanwhile, or in another session, stays. */
function sentAway(id, words, attached) {
  const draft = session?.id === id ? null : drafts.get(id);
  if (draft) {
    drafts.set(id, { ...draft, words: "", files: [] });
  } else if (session?.id === id) {
    if (text.value.trim() === words) text.value = "";
    files = files.filter((file) => !attached.includes(file));
    showFiles();
    grow();
  }
}

byId("composer-box").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
text.addEventListener("input", () => {
  grow();
  ready();
});

onChange(render);
onRoute(render);

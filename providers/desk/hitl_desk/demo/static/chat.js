/** The customer's page: what was said, who has the conversation, and a place to write. */

import { api, ChatError } from "./api.js";
import { byId } from "./dom.js";
import { Messages } from "./messages.js";

const scroll = byId("scroll");
const text = byId("text");
const messages = new Messages(byId("messages"), () => follow());

let conversation = null;
let limits = { text: 4000, file: 5 * 1024 * 1024, types: [] };
let source = null;
let cursor = 0;
let atEnd = true;
let owner = "bot";
let retry = null;

// Scrolling: stay at the end while the reader is there, else offer to go there. ----------------------------------

function follow() {
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
}

scroll.addEventListener("scroll", () => {
  atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  if (atEnd) byId("jump").hidden = true;
});
byId("jump").addEventListener("click", () => {
  atEnd = true;
  byId("jump").hidden = true;
  follow();
});
new ResizeObserver(follow).observe(scroll);

// Showing ---------------------------------------------------------------------------------------------------------

function record(event, data) {
  cursor = Math.max(cursor, data.id);
  if (event === "change") {
    messages.change(data);
  } else if (messages.add(data)) {
    if (data.role === "customer") atEnd = true;
    else if (!atEnd) byId("jump").hidden = false;
  }
  byId("suggestions").hidden = messages.hasWords;
  follow();
}

function showStatus(status) {
  owner = status.owner;
  const box = byId("status");
  box.dataset.owner = owner;
  box.hidden = owner === "bot";
  byId("status-text").textContent =
    owner === "human" ? `You are talking to ${status.agent ?? "a human"}, a human of our team` : "Waiting for a human…";
  byId("presence").textContent =
    { bot: "Bot · answers at once", queue: "Waiting for a human", human: `${status.agent ?? "A human"} · our team` }[owner] ?? "";
  follow();
}

let typingEnds = null;

function showTyping({ typing, name }) {
  clearTimeout(typingEnds);
  byId("typing").hidden = !typing;
  byId("typing-text").textContent = typing ? `${name ?? "Our team"} is typing` : "";
  if (typing) typingEnds = setTimeout(() => showTyping({ typing: false }), 8000);
  follow();
}

let problemEnds = null;

function problem(sentence) {
  clearTimeout(problemEnds);
  byId("problem-text").textContent = sentence ?? "";
  byId("problem").hidden = !sentence;
  if (sentence) problemEnds = setTimeout(() => problem(null), 12000);
  follow();
}

byId("problem-close").addEventListener("click", () => problem(null));

/** Show a conversation from its beginning, or what is new of the one that is shown. */
function show(state) {
  if (state.conversation !== conversation) {
    conversation = state.conversation;
    cursor = 0;
    messages.clear();
    showTyping({ typing: false });
  }
  limits = state.limits;
  for (const { event, data } of state.records) record(event, data);
  showStatus(state.status);
}

// Live ------------------------------------------------------------------------------------------------------------

async function connect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  let state;
  try {
    state = await api.conversation();
  } catch {
    byId("offline").hidden = false;
    retry = setTimeout(connect, 2000);
    return;
  }
  show(state);
  // The stream repeats nothing that is shown; after a break the browser says by itself where it was.
  source = new EventSource(`api/stream?after=${cursor}`);
  source.addEventListener("open", () => {
    byId("offline").hidden = true;
  });
  for (const event of ["entry", "change"]) {
    source.addEventListener(event, (message) => record(event, JSON.parse(message.data)));
  }
  source.addEventListener("status", (message) => showStatus(JSON.parse(message.data)));
  source.addEventListener("typing", (message) => showTyping(JSON.parse(message.data)));
  source.addEventListener("error", () => {
    byId("offline").hidden = false;
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 2000);
  });
}

// Writing ---------------------------------------------------------------------------------------------------------

let sending = false;
let typingSent = 0;

function grow() {
  if (!CSS.supports("field-sizing", "content")) {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 144)}px`;
  }
  const length = [...text.value.trim()].length;
  const over = length > limits.text;
  byId("count").hidden = length < limits.text * 0.9;
  byId("count").classList.toggle("over", over);
  byId("count").textContent = `${length.toLocaleString()} of ${limits.text.toLocaleString()} characters`;
  byId("send").disabled = sending || length === 0 || over;
}

function toldTyping(typing) {
  if (owner === "bot" || (typing && Date.now() - typingSent < 3000)) return;
  typingSent = typing ? Date.now() : 0;
  api.typing(typing).catch(() => {});
}

async function work(job) {
  sending = true;
  grow();
  try {
    await job();
    problem(null);
    return true;
  } catch (error) {
    problem(error instanceof ChatError ? error.message : "Something went wrong. Please reload the page.");
    return false;
  } finally {
    sending = false;
    grow();
  }
}

async function say(words) {
  const length = [...words].length;
  if (length > limits.text) {
    problem(`The message has ${length.toLocaleString()} characters; at most ${limits.text.toLocaleString()} fit. Shorten it.`);
    return false;
  }
  return work(() => api.say(words));
}

async function send() {
  const words = text.value.trim();
  if (!words || sending) return;
  text.value = "";
  typingSent = 0;
  if (!(await say(words)) && !text.value) text.value = words;
  grow();
  text.focus();
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
text.addEventListener("input", () => {
  grow();
  toldTyping(text.value.trim() !== "");
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
byId("suggestions").addEventListener("click", (event) => {
  const words = event.target.closest("button")?.dataset.say;
  if (words) say(words);
  text.focus();
});

// Files -----------------------------------------------------------------------------------------------------------

async function attach(file) {
  if (!file) return;
  if (file.size > limits.file) {
    problem(`The picture is larger than ${Math.round(limits.file / 1024 / 1024)} MB. Choose a smaller one.`);
    return;
  }
  if (file.type && limits.types.length && !limits.types.includes(file.type)) {
    problem("Only pictures can be attached: PNG, JPEG, GIF or WebP.");
    return;
  }
  await work(() => api.attach(file));
}

byId("attach").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  await attach(file);
  event.target.value = "";
});
text.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
  if (file) {
    event.preventDefault();
    attach(file);
  }
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop") attach(event.dataTransfer?.files[0]);
  });
}

// Ending and beginning --------------------------------------------------------------------------------------------

byId("end").addEventListener("click", async () => {
  await work(api.end);
  text.focus();
});
byId("new").addEventListener("click", async () => {
  if (await work(async () => show(await api.begin()))) connect();
  text.focus();
});

grow();
connect();

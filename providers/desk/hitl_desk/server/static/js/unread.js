/** News an agent must not miss: in the tab's title and icon, by a sound, and by a notification of the browser. */

import { byId, fill, h, icon } from "./dom.js";
import { go } from "./router.js";
import { choose, onChoice, settings } from "./settings.js";
import { store } from "./store.js";
import { toast } from "./toast.js";

const SOUND_KEY = "desk.sounded";
const ONE_SOUND_PER = 1_500;

let audio = null;
let painted = -1;

function unreadTickets() {
  let count = 0;
  for (const row of store.rows.values()) if (row.unread > 0 && store.concerns(row)) count += 1;
  return count;
}

function paintIcon(count) {
  if (count === painted) return;
  painted = count;
  const link = byId("favicon");
  if (count === 0) {
    link.href = link.dataset.plain;
    link.type = "image/svg+xml";
    return;
  }
  const canvas = h("canvas", { width: 64, height: 64 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#2f6f6b";
  pen.beginPath();
  pen.roundRect(0, 0, 64, 64, 18);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.roundRect(14, 16, 36, 25, 6);
  pen.moveTo(22, 40);
  pen.lineTo(22, 51);
  pen.lineTo(34, 40);
  pen.fill();
  pen.fillStyle = "#d92d3a";
  pen.beginPath();
  pen.arc(44, 20, 20, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.font = `bold ${count > 9 ? 24 : 30}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(count > 99 ? "99" : String(count), 44, 21);
  link.type = "image/png";
  link.href = canvas.toDataURL("image/png");
}

function renderTitle() {
  const count = unreadTickets();
  const title = `${count > 0 ? `(${count}) ` : ""}Inbox · Desk`;
  if (document.title !== title) document.title = title;
  paintIcon(count);
}

function wake() {
  if (!settings().sound || typeof AudioContext === "undefined") return;
  audio ??= new AudioContext();
  if (audio.state === "suspended") void audio.resume();
}

function tone(at, pitch, length) {
  const source = audio.createOscillator();
  const volume = audio.createGain();
  source.type = "sine";
  source.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.16, at + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.001, at + length);
  source.connect(volume).connect(audio.destination);
  source.start(at);
  source.stop(at + length);
}

function ring() {
  if (!settings().sound || audio?.state !== "running") return;
  // Several tabs hear of the same message; the first one rings.
  const now = Date.now();
  if (now - Number(localStorage.getItem(SOUND_KEY) ?? 0) < ONE_SOUND_PER) return;
  localStorage.setItem(SOUND_KEY, String(now));
  tone(audio.currentTime, 660, 0.25);
  tone(audio.currentTime + 0.13, 880, 0.35);
}

const canNotify = () => "Notification" in window && window.isSecureContext;

function notify(row, text, tag) {
  if (!settings().notify || !canNotify() || Notification.permission !== "granted" || document.hasFocus()) return;
  const notice = new Notification(row.customer?.name || "A customer", { body: text, tag });
  notice.addEventListener("click", () => {
    window.focus();
    go(row.category === "closed" ? "closed" : row.assignee ? "mine" : "unassigned", row.id);
    notice.close();
  });
}

/** Something new for the agent: rings and notifies unless they are looking at it. */
export function news(row, text, tag) {
  if (!store.concerns(row)) return;
  const looking = document.visibilityState === "visible" && document.hasFocus() && store.open?.id === row.id;
  if (looking) return;
  ring();
  notify(row, text, tag);
}

async function switchNotifications(on) {
  if (on && Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") {
    toast("The browser blocks notifications of this page. Allow them in its settings for this site.", "error");
    choose({ notify: false });
    return;
  }
  choose({ notify: on });
}

function switchSound(on) {
  choose({ sound: on });
  if (!on) return;
  wake();
  localStorage.removeItem(SOUND_KEY);
  // Heard at once, so that nobody waits for a message to find the volume at zero.
  void audio?.resume().then(ring);
}

function renderChoices() {
  const { sound, notify: wanted } = settings();
  const button = byId("sound-toggle");
  button.setAttribute("aria-pressed", String(sound));
  button.title = sound ? "Turn the sound off" : "Turn on a sound for new messages";
  fill(button, icon(sound ? "bell" : "bell-off"), h("span", { class: "rail-label" }, sound ? "Sound on" : "Sound off"));
  byId("set-sound").checked = sound;
  const box = byId("set-notify");
  box.checked = wanted && canNotify() && Notification.permission === "granted";
  box.disabled = !canNotify();
  if (!canNotify()) byId("notify-help").textContent = "Needs https, or a desk on this computer";
}

/** Begin telling of news. */
export function startUnread() {
  byId("favicon").dataset.plain = byId("favicon").href;
  store.on("list", renderTitle);
  store.on("counts", renderTitle);
  byId("sound-toggle").addEventListener("click", () => switchSound(!settings().sound));
  byId("set-sound").addEventListener("change", (event) => switchSound(event.target.checked));
  byId("set-notify").addEventListener("change", (event) => switchNotifications(event.target.checked));
  onChoice(renderChoices);
  renderChoices();
  // Browsers let a page make sounds only after it has been touched.
  for (const type of ["pointerdown", "keydown"]) addEventListener(type, wake, { passive: true });
}

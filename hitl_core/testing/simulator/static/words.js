/** Names, times and texts as people read them. */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const BLOCKS = new Set("ADDRESS ARTICLE BLOCKQUOTE DIV DL H1 H2 H3 H4 H5 H6 HR LI OL P PRE SECTION TABLE TR UL".split(" "));
const SILENT = new Set(["HEAD", "SCRIPT", "STYLE", "TEMPLATE", "TITLE"]);

/** A moment as `{short, full}`: the time of day, or the day when it was another. Null without one. */
export function moment(iso) {
  const at = new Date(iso ?? NaN);
  if (Number.isNaN(at.getTime())) return null;
  const today = at.toDateString() === new Date().toDateString();
  return { short: today ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`, full: FULL.format(at) };
}

export function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "?";
}

export function hue(seed) {
  let sum = 0;
  for (const letter of seed) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % 10;
}

export function agentName(agent) {
  return agent ? agent.name || agent.email || `Agent ${agent.id ?? ""}`.trim() : "";
}

/** A message's text without markup. What parses it makes a document of its own, in which nothing runs or loads. */
export function plain(message) {
  if (!message.html) return message.text;
  const body = new DOMParser().parseFromString(message.text, "text/html").body;
  return textOf(body).replace(/[ \t]*\n[ \t]*/gu, "\n").replace(/\n{3,}/gu, "\n\n").trim();
}

function textOf(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data.replace(/\s+/gu, " ");
  if (node.nodeType !== Node.ELEMENT_NODE || SILENT.has(node.tagName)) return "";
  if (node.tagName === "BR") return "\n";
  const inner = [...node.childNodes].map(textOf).join("");
  return BLOCKS.has(node.tagName) ? `\n${inner}\n` : inner;
}

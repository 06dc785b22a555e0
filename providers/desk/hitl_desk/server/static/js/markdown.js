/**
 * A small, safe part of Markdown, built as elements: bold, italic, struck out, code, lists, quotes, headings, links.
 * HTML in the text stays text. Every search for a closing mark is bounded, so no text can keep the page busy.
 */

import { h } from "./dom.js";
import { hostOf, safeLink } from "./urls.js";

const MAX_DEPTH = 6;
const MAX_SPAN = 2_000;
const BARE_LINK = /https?:\/\/[^\s<>"]{1,2000}/iuy;
const ITEM = /^( *)(?:[-*+]|(\d{1,9})[.)]) +(.*)$/u;
const SPECIAL = /[\\`*_~[!<hH]/u;
const EMPHASIS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };

/** A link that opens in a new tab and tells the target nothing; unsafe addresses stay text. */
export function link(address, ...label) {
  const href = safeLink(address);
  if (!href) return [...label, label.join("") === address ? "" : ` (${address})`];
  return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, ...label);
}

function unbalanced(address) {
  return address.split(")").length > address.split("(").length;
}

function bareLink(text, at) {
  if (at > 0 && /[\p{L}\p{N}_]/u.test(text[at - 1])) return null;
  BARE_LINK.lastIndex = at;
  let found = BARE_LINK.exec(text)?.[0];
  if (!found) return null;
  // A full stop or a bracket after an address belongs to the sentence around it.
  found = found.replace(/[.,;:!?'*_~\]}]+$/u, "");
  while (found.endsWith(")") && unbalanced(found)) found = found.slice(0, -1);
  return safeLink(found) ? found : null;
}

/** Plain text with its web addresses as links. */
export function linkify(text) {
  const nodes = [];
  let from = 0;
  let at = text.search(/https?:\/\//iu);
  while (at >= 0) {
    const found = bareLink(text, at);
    if (found) {
      nodes.push(text.slice(from, at), link(found, found));
      from = at + found.length;
    }
    const next = text.slice(at + (found?.length ?? 1)).search(/https?:\/\//iu);
    at = next < 0 ? -1 : at + (found?.length ?? 1) + next;
  }
  nodes.push(text.slice(from));
  return nodes;
}

function codeSpan(text, at) {
  const run = /^`{1,3}/u.exec(text.slice(at, at + 3))[0];
  const end = text.slice(at, at + MAX_SPAN).indexOf(run, run.length);
  if (end < 0) return null;
  return { node: h("code", null, text.slice(at + run.length, at + end).trim()), end: at + end + run.length };
}

function emphasis(text, at, depth) {
  const mark = Object.keys(EMPHASIS).find((one) => text.startsWith(one, at));
  if (!mark || /\s|^$/u.test(text.charAt(at + mark.length))) return null;
  const word = /[\p{L}\p{N}]/u;
  // snake_case_names are not emphasis.
  if (mark[0] === "_" && at > 0 && word.test(text[at - 1])) return null;
  const limit = Math.min(text.length, at + MAX_SPAN);
  for (let end = at + mark.length + 1; end < limit; end += 1) {
    if (!text.startsWith(mark, end) || /\s/u.test(text[end - 1])) continue;
    if (mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark)) continue;
    if (mark.length === 2 && text[end + 2] === mark[0]) continue;
    if (mark[0] === "_" && word.test(text.charAt(end + mark.length))) continue;
    const inner = inline(text.slice(at + mark.length, end), depth + 1);
    return { node: h(EMPHASIS[mark], null, inner), end: end + mark.length };
  }
  return null;
}

function namedLink(text, at, depth) {
  const start = text[at] === "!" ? at + 1 : at;
  if (text[start] !== "[") return null;
  const shut = text.slice(start, start + MAX_SPAN).indexOf("](");
  if (shut < 0) return null;
  const open = start + shut + 2;
  let level = 1;
  for (let end = open; end < Math.min(text.length, open + MAX_SPAN); end += 1) {
    if (text[end] === "(") level += 1;
    else if (text[end] === ")") level -= 1;
    if (level > 0) continue;
    const address = text.slice(open, end).trim().split(/\s+/u)[0].replace(/^<|>$/gu, "");
    const label = text.slice(start + 1, start + shut);
    const inside = label.includes("[") ? [label] : inline(label, depth + 1, { links: false });
    const host = hostOf(address);
    // A label that looks like an address must not hide where the link leads.
    const misleads = /^\s*(?:https?:|www\.|[\w-]+\.[a-z]{2,})/iu.test(label) && host && !label.includes(host);
    return { node: [link(address, ...(label ? inside : [address])), misleads ? ` (${host})` : ""], end: end + 1 };
  }
  return null;
}

function angleLink(text, at) {
  const end = text.slice(at, at + MAX_SPAN).indexOf(">");
  const address = end < 0 ? "" : text.slice(at + 1, at + end);
  return safeLink(address) && !/\s/u.test(address) ? { node: link(address, address), end: at + end + 1 } : null;
}

function special(text, at, depth, links) {
  const sign = text[at];
  if (sign === "`") return codeSpan(text, at);
  if ("*_~".includes(sign)) return depth < MAX_DEPTH ? emphasis(text, at, depth) : null;
  if (!links) return null;
  if (sign === "[" || sign === "!") return depth < MAX_DEPTH ? namedLink(text, at, depth) : null;
  if (sign === "<") return angleLink(text, at);
  const found = bareLink(text, at);
  return found ? { node: link(found, found), end: at + found.length } : null;
}

function inline(text, depth = 0, { links = true } = {}) {
  const nodes = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const sign = text[at];
    if (sign === "\\" && /[!-/:-@[-`{-~]/u.test(text.charAt(at + 1))) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    const found = SPECIAL.test(sign) ? special(text, at, depth, links) : null;
    if (found) {
      nodes.push(plain, found.node);
      plain = "";
      at = found.end;
    } else {
      plain += sign;
      at += 1;
    }
  }
  nodes.push(plain);
  return nodes;
}

function lines(text) {
  return text.flatMap((line, index) => (index === 0 ? inline(line) : [h("br"), inline(line)]));
}

function fence(source, at) {
  const mark = /^ {0,3}(`{3,}|~{3,})/u.exec(source[at])[1];
  let end = at + 1;
  while (end < source.length && !source[end].trim().startsWith(mark)) end += 1;
  return { node: h("pre", { tabindex: "0" }, h("code", null, source.slice(at + 1, end).join("\n"))), end: end + 1 };
}

function quote(source, at, depth) {
  let end = at;
  while (end < source.length && /^ {0,3}>/u.test(source[end])) end += 1;
  const inner = source.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/u, ""));
  return { node: h("blockquote", null, blocks(inner, depth + 1)), end };
}

function list(source, at, depth) {
  const [, lead, number] = ITEM.exec(source[at]);
  const indent = lead.length;
  const items = [];
  let end = at;
  for (; end < source.length; end += 1) {
    const item = ITEM.exec(source[end]);
    if (item && item[1].length <= indent + 1) {
      if (item[1].length < indent || Boolean(item[2]) !== Boolean(number)) break;
      items.push([item[3]]);
    } else if (source[end].trim() === "") {
      const next = ITEM.exec(source[end + 1] ?? "");
      if (!next || next[1].length < indent) break;
    } else if (/^ {2}/u.test(source[end])) {
      items.at(-1).push(source[end].replace(new RegExp(`^ {1,${indent + 3}}`, "u"), ""));
    } else {
      break;
    }
  }
  const start = number && number !== "1" ? number : null;
  const children = items.map((item) => h("li", null, blocks(item, depth + 1, { tight: true })));
  return { node: h(number ? "ol" : "ul", { start }, children), end: Math.max(end, at + 1) };
}

const STARTS = [
  [/^ {0,3}(?:`{3,}|~{3,})/u, fence],
  [/^ {0,3}>/u, quote],
  [/^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/u, (source, at) => ({ node: h("hr"), end: at + 1 })],
  [/^ {0,3}#{1,6} /u, (source, at) => {
    const text = source[at].replace(/^ {0,3}#{1,6} +/u, "").replace(/ +#+ *$/u, "");
    // Bold, not a heading: a customer's text must not disturb the page's own outline.
    return { node: h("p", { class: "md-heading" }, inline(text)), end: at + 1 };
  }],
  [ITEM, list],
];

function blocks(source, depth, { tight = false } = {}) {
  const nodes = [];
  let at = 0;
  while (at < source.length) {
    if (source[at].trim() === "") {
      at += 1;
      continue;
    }
    const start = depth < MAX_DEPTH ? STARTS.find(([pattern]) => pattern.test(source[at])) : null;
    if (start) {
      const { node, end } = start[1](source, at, depth);
      nodes.push(node);
      at = end;
      continue;
    }
    const from = at;
    do at += 1;
    while (at < source.length && source[at].trim() !== "" && !STARTS.some(([pattern]) => pattern.test(source[at])));
    const text = lines(source.slice(from, at).map((line) => line.trim()));
    nodes.push(tight && from === 0 ? text : h("p", null, text));
  }
  return nodes;
}

/** Markdown as elements. */
export function markdown(text) {
  return h("div", { class: "md" }, blocks(text.replaceAll("\t", "    ").split(/\r\n|[\r\n]/u), 0));
}

/**
 * The desk's event stream. Read with fetch rather than EventSource: after a refused connection EventSource gives up
 * and forgets where it was, while this one comes back with `Last-Event-ID` until it is stopped.
 */

const QUIET_LIMIT = 45_000;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** Splits a text stream into server-sent events, as the HTML standard says. */
export class EventParser {
  #buffer = "";
  #data = [];
  #type = "";
  #id;
  retry = null;

  constructor(lastId = "") {
    this.#id = lastId;
  }

  /** The events completed by this piece of text: `{type, data, id}`. */
  push(text) {
    const events = [];
    this.#buffer += text;
    for (;;) {
      const end = this.#buffer.search(/[\r\n]/u);
      // A carriage return at the very end may be the first half of a line end.
      if (end < 0 || (this.#buffer[end] === "\r" && end === this.#buffer.length - 1)) return events;
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + (this.#buffer.startsWith("\r\n", end) ? 2 : 1));
      if (line === "") this.#finish(events);
      else this.#field(line);
    }
  }

  #finish(events) {
    if (this.#data.length > 0) events.push({ type: this.#type || "message", data: this.#data.join("\n"), id: this.#id });
    this.#data = [];
    this.#type = "";
  }

  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /u, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/u.test(value)) this.retry = Number(value);
  }
}

/** Keeps one connection to the stream and reports what arrives. */
export class EventStream {
  #stopped = false;
  #controller = null;
  #wake = null;
  #wait = FIRST_WAIT;

  /**
   * @param onEvent called with `{type, data, id}`; data is the parsed JSON.
   * @param onState called with "open" or "closed".
   * @param onSignedOut called when the desk no longer knows the session.
   */
  constructor(url, { lastId = "", onEvent, onState, onSignedOut }) {
    this.url = url;
    this.lastId = lastId;
    this.onEvent = onEvent;
    this.onState = onState;
    this.onSignedOut = onSignedOut;
  }

  start() {
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    void this.#run();
    return this;
  }

  stop() {
    this.#stopped = true;
    removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    this.#controller?.abort();
    this.#wake?.();
  }

  #hurry = () => {
    if (document.visibilityState === "visible") this.#wake?.();
  };

  async #run() {
    while (!this.#stopped) {
      try {
        await this.#connect();
      } catch {
        // Whatever broke the connection, the cure is the next one.
      }
      if (this.#stopped) return;
      this.onState("closed");
      await this.#pause();
    }
  }

  async #connect() {
    const controller = new AbortController();
    this.#controller = controller;
    const headers = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    let timer = setTimeout(() => controller.abort(), QUIET_LIMIT);
    try {
      const response = await fetch(this.url, { headers, cache: "no-store", credentials: "same-origin", signal: controller.signal });
      if (response.status === 401) {
        this.stop();
        this.onSignedOut();
        return;
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const parser = new EventParser(this.lastId);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      this.onState("open");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.#wait = FIRST_WAIT;
        clearTimeout(timer);
        timer = setTimeout(() => controller.abort(), QUIET_LIMIT);
        for (const event of parser.push(value)) this.#deliver(event);
        if (parser.retry !== null) this.#wait = Math.min(parser.retry, LONGEST_WAIT);
      }
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
  }

  #deliver({ type, data, id }) {
    let parsed;
    try {
      parsed = JSON.parse(data);
    } catch {
      parsed = null;
    }
    this.lastId = id;
    if (parsed !== null) this.onEvent({ type, data: parsed, id });
  }

  #pause() {
    const wait = this.#wait * (0.7 + Math.random() * 0.6);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

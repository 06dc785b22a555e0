/** What the page knows: who is signed in, the list, the open ticket. Modules change it here and hear of changes here. */

export const VIEWS = ["mine", "unassigned", "all", "closed"];

const VIEW_NAMES = { mine: "Mine", unassigned: "Unassigned", all: "All open", closed: "Closed" };

/** A view's name for people. */
export const viewName = (view) => VIEW_NAMES[view];

/** Moments in milliseconds; one that is missing lies behind all others. */
const instant = (iso) => (iso ? Date.parse(iso) : Infinity);

class Store {
  me = null;
  agents = [];
  view = "mine";
  query = "";
  counts = null;
  /** Every ticket seen so far, as a list row. */
  rows = new Map();
  /** The list shown: ids in order; phase is loading, ready or failed. */
  list = { ids: [], cursor: null, more: false, phase: "loading", error: "" };
  /** The open ticket, or null: {id, phase, error, ticket, customer, transcript, messages, newFrom}. */
  open = null;
  /** Place in the list of the ticket that was selected last, so that "next" has a meaning after it left. */
  place = -1;
  connection = "starting";

  #listeners = new Map();
  #changed = new Set();

  /** Call `listener` after a topic changed: me, counts, list, thread, typing, connection or outbox. */
  on(topic, listener) {
    if (!this.#listeners.has(topic)) this.#listeners.set(topic, []);
    this.#listeners.get(topic).push(listener);
  }

  /** Tell that topics changed; listeners run once, after the work in hand. */
  changed(...topics) {
    if (this.#changed.size === 0) queueMicrotask(() => this.#tell());
    for (const topic of topics) this.#changed.add(topic);
  }

  #tell() {
    const topics = [...this.#changed];
    this.#changed.clear();
    const listeners = new Set(topics.flatMap((topic) => this.#listeners.get(topic) ?? []));
    for (const listener of listeners) listener();
  }

  /** Whether a ticket belongs to a view. */
  belongs(row, view = this.view) {
    if (view === "closed") return row.category === "closed";
    if (row.category === "closed") return false;
    if (view === "mine") return row.assignee?.id === this.me?.id;
    return view === "all" || !row.assignee;
  }

  /** Whether the signed-in agent should hear of a ticket: it is theirs, or nobody's. */
  concerns(row) {
    return row.category !== "closed" && (!row.assignee || row.assignee.id === this.me?.id);
  }

  /** Replace the list by an answer of the desk, or add the next page to it. */
  setList(answer, { append = false } = {}) {
    for (const row of answer.tickets) this.rows.set(row.id, { ...this.rows.get(row.id), ...row });
    const ids = answer.tickets.map((row) => row.id);
    this.list = {
      ids: append ? [...new Set([...this.list.ids, ...ids])] : ids,
      cursor: answer.cursor ?? null,
      more: Boolean(answer.more),
      phase: "ready",
      error: "",
    };
    this.rememberPlace();
    if (answer.counts) this.setCounts(answer.counts);
    this.changed("list");
  }

  setCounts(counts) {
    this.counts = counts;
    this.changed("counts");
  }

  /** Take in a ticket's newest row: in the list where it belongs, and in the open thread. */
  putRow(row) {
    const known = this.rows.get(row.id);
    if (known && instant(known.updated_at) > instant(row.updated_at)) return;
    const merged = { ...known, ...row };
    this.rows.set(row.id, merged);
    this.#place(merged);
    if (this.open?.id === row.id && this.open.ticket) {
      this.open.ticket = { ...this.open.ticket, ...merged };
      this.changed("thread");
    }
    this.changed("list");
  }

  #place(row) {
    const { ids } = this.list;
    const at = ids.indexOf(row.id);
    // A search stays as the desk answered it; rows are only brought up to date.
    if (this.query || this.list.phase !== "ready") return;
    if (!this.belongs(row)) {
      if (at >= 0) this.list.ids = ids.filter((id) => id !== row.id);
      return;
    }
    if (this.view === "closed") {
      if (at < 0) this.list.ids = [row.id, ...ids];
    } else {
      const others = ids.filter((id) => id !== row.id);
      const next = others.findIndex((id) => this.#isBefore(row, this.rows.get(id)));
      // Behind the last row of an unfinished list its place is unknown; it comes with a later page.
      if (next < 0 && this.list.more) this.list.ids = others;
      else this.list.ids = next < 0 ? [...others, row.id] : others.toSpliced(next, 0, row.id);
    }
    this.rememberPlace();
  }

  #isBefore(one, other) {
    if (!other) return false;
    const [since, otherSince] = [instant(one.waiting_since), instant(other.waiting_since)];
    if (since !== otherSince) return since < otherSince;
    return one.number < other.number;
  }

  /** Keep the selected ticket's place in the list. */
  rememberPlace() {
    const at = this.open ? this.list.ids.indexOf(this.open.id) : -1;
    if (at >= 0) this.place = at;
  }

  /** The ticket `step` rows from the selected one (or from where it stood), or null at the ends. */
  neighbour(step) {
    const { ids } = this.list;
    if (ids.length === 0) return null;
    const at = this.open ? ids.indexOf(this.open.id) : -1;
    if (at >= 0) return ids[at + step] ?? null;
    if (this.place < 0) return ids[0];
    const gap = Math.min(this.place, ids.length);
    return ids[step > 0 ? gap : gap - 1] ?? ids.at(step > 0 ? -1 : 0);
  }

  /** The row of the open ticket, or null. */
  get openRow() {
    return this.open?.ticket ?? null;
  }

  /** Take in a message of the open ticket: new ones at their place, known ones replaced. */
  putMessage(ticketId, message) {
    if (this.open?.id !== ticketId || this.open.phase !== "ready") return;
    const { messages } = this.open;
    const at = messages.findIndex((one) => one.id === message.id);
    if (at >= 0) {
      messages[at] = message;
    } else {
      let place = messages.length;
      while (place > 0 && messages[place - 1].seq > message.seq) place -= 1;
      messages.splice(place, 0, message);
    }
    this.changed("thread");
  }
}

export const store = new Store();

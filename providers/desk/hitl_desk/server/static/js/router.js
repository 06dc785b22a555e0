/** What is shown is in the address: `#/mine`, `#/mine/tkt_…`, and `#tkt_…` for links from elsewhere. */

import { loadList, openTicket } from "./actions.js";
import { byId } from "./dom.js";
import { VIEWS, store } from "./store.js";

/** The address of a view, and of a ticket in it. */
export function hashOf(view, ticket = null) {
  return ticket ? `#/${view}/${encodeURIComponent(ticket)}` : `#/${view}`;
}

/** What agents may want to see first: what is theirs, else what waits for anybody. */
const LANDING = ["mine", "unassigned", "all"];
let landed = false;

/** As long as the agent has gone nowhere, show the first view that has something in it. */
function land() {
  if (landed || !store.counts) return;
  const view = LANDING.find((one) => store.counts[one] > 0);
  const gone = location.hash !== "" || byId("search").value !== "";
  landed = gone || view !== undefined;
  if (!gone && view && view !== store.view) go(view, null, { replace: true });
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** View and ticket of an address; null when it names none. */
export function routeOf(hash) {
  const path = hash.replace(/^#\/?/u, "");
  const [first, second] = path.split("/");
  if (VIEWS.includes(first)) return { view: first, ticket: second ? decode(second) : null };
  return path ? { view: "all", ticket: decode(path) } : null;
}

/** Go to a view, and to a ticket in it. */
export function go(view, ticket = null, { replace = false } = {}) {
  const hash = hashOf(view, ticket);
  if (location.hash === hash) return;
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  follow();
}

/** Whether list and thread share one pane. */
export const onePane = () => matchMedia("(max-width: 760px)").matches;

/** Show or hide the details beside the thread, where they do not fit by themselves. */
export function showDetails(open) {
  document.body.dataset.details = open ? "open" : "closed";
  document.querySelector("[data-details-toggle]")?.setAttribute("aria-expanded", String(open));
}

function follow({ first = false } = {}) {
  const route = routeOf(location.hash) ?? { view: "mine", ticket: null };
  const moved = route.view !== store.view;
  if (moved || first) {
    store.view = route.view;
    store.query = "";
    byId("search").value = "";
    store.place = -1;
    void loadList();
  }
  document.body.dataset.pane = route.ticket ? "thread" : "list";
  showDetails(false);
  const before = store.open?.id ?? null;
  void openTicket(route.ticket);
  store.changed("list");
  if (!onePane() || first) return;
  if (route.ticket && !before) byId("thread").focus();
  else if (!route.ticket && before) document.querySelector(`[data-ticket-id="${CSS.escape(before)}"]`)?.focus();
}

/** Begin following the address. */
export function startRouter() {
  if (!location.hash) {
    const kept = sessionStorage.getItem("desk.return") ?? "";
    if (routeOf(kept)) history.replaceState(null, "", kept);
  }
  sessionStorage.removeItem("desk.return");
  addEventListener("hashchange", () => follow());
  store.on("counts", land);
  follow({ first: true });
}

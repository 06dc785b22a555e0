/** Starts the inbox page. */

import { loadMe, signOut } from "./api.js";
import { readOpen, seedUnread } from "./actions.js";
import { avatar } from "./avatar.js";
import { startClosing } from "./close_dialog.js";
import { startComposer, takeBack } from "./composer.js";
import { startCustomer } from "./customer.js";
import { dismissible } from "./dialogs.js";
import { byId, fill, h, icon } from "./dom.js";
import { focusList, startList } from "./list.js";
import { startLive } from "./live.js";
import { restoreOutbox } from "./outbox.js";
import { startRouter } from "./router.js";
import { startShortcuts } from "./shortcuts.js";
import { store } from "./store.js";
import { stopReceiving } from "./tabs.js";
import { startThread } from "./thread.js";
import { refreshTimes } from "./time.js";
import { startUnread } from "./unread.js";

const REFRESH_EVERY = 20_000;

function showMe() {
  const { me } = store;
  fill(byId("me-avatar"), avatar(me, { size: "medium" }));
  fill(byId("menu-avatar"), avatar(me, { size: "large" }));
  byId("me-name").textContent = `Menu of ${me.name}`;
  byId("menu-name").textContent = me.name;
  byId("menu-email").textContent = me.email;
}

function startMenu() {
  const menu = byId("menu");
  dismissible(menu);
  dismissible(byId("help-dialog"));
  byId("menu-open").addEventListener("click", () => menu.showModal());
  byId("sign-out").addEventListener("click", () => {
    stopReceiving();
    void signOut();
  });
  for (const link of document.querySelectorAll("[data-skip]")) {
    link.addEventListener("click", () => (link.dataset.skip === "list" ? focusList() : byId("thread").focus()));
  }
}

function refresh() {
  refreshTimes();
  // Waiting times change colour with age.
  store.changed("list", ...(store.open ? ["thread"] : []));
}

async function start() {
  let answer;
  try {
    answer = await loadMe();
  } catch (error) {
    const again = h("button", { type: "button", class: "button", onclick: () => location.reload() }, "Try again");
    fill(byId("list-state"), h("div", { class: "empty", role: "alert" }, icon("alert"), h("p", null, error.message), again));
    return;
  }
  store.me = answer.agent;
  store.agents = answer.agents;
  showMe();
  startMenu();
  startList();
  startThread({ onTakeBack: takeBack });
  startComposer();
  startCustomer();
  startClosing();
  startShortcuts();
  startUnread();
  store.changed("thread");
  startRouter();
  startLive();
  restoreOutbox();
  seedUnread().catch(() => {
    // The list itself tells when the desk cannot be reached.
  });
  document.addEventListener("visibilitychange", readOpen);
  setInterval(refresh, REFRESH_EVERY);
}

void start();

/**
 * One stream for all tabs of the inbox: browsers allow six connections to one host, and a seventh tab would hang.
 * The tab that holds the lock reads the stream and passes events on; when it closes, another takes over where it was.
 */

import { BASE } from "./base.js";
import { EventStream } from "./stream.js";

const STREAM = `${BASE}/api/stream`;

let stream = null;

function read(handlers) {
  stream = new EventStream(STREAM, handlers).start();
}

/** Stop reading the stream, before the session it belongs to ends. */
export function stopReceiving() {
  stream?.stop();
}

/**
 * Start receiving events, from the stream or from another tab.
 *
 * @param agent id of who is signed in; tabs of different people do not share.
 * @param onEvent called with `{type, data, id}`.
 * @param onState called with "open" or "closed".
 * @returns a function that tells the other tabs of an event the desk does not tell.
 */
export function receive(agent, { onEvent, onState, onSignedOut }) {
  if (!navigator.locks || typeof BroadcastChannel === "undefined") {
    // Plain http on a network address has no locks: every tab reads for itself.
    read({ onEvent, onState, onSignedOut });
    return () => {};
  }
  const name = `desk-stream-${agent}`;
  const channel = new BroadcastChannel(name);
  let lastId = "";
  let leading = false;
  let state = "closed";

  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "event") {
      if (data.event.id) lastId = data.event.id;
      onEvent(data.event);
    } else if (data.kind === "state") {
      onState(data.state);
    } else if (data.kind === "hello" && leading) {
      channel.postMessage({ kind: "state", state });
    }
  });
  channel.postMessage({ kind: "hello" });

  void navigator.locks.request(name, () => {
    leading = true;
    read({
      lastId,
      onSignedOut,
      onEvent: (event) => {
        channel.postMessage({ kind: "event", event });
        onEvent(event);
      },
      onState: (next) => {
        state = next;
        channel.postMessage({ kind: "state", state });
        onState(state);
      },
    });
    // Held until this tab closes.
    return new Promise(() => {});
  });
  return (event) => channel.postMessage({ kind: "event", event });
}

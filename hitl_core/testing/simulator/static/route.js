/** Which session is shown: the address says so, and the browser's own back button works. */

/** The id in the address, or null. */
export function chosen() {
  const found = /^#\/(.+)$/u.exec(location.hash);
  if (!found) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return null; // written by hand
  }
}

export function addressOf(id) {
  return `#/${encodeURIComponent(id)}`;
}

export function onRoute(listener) {
  window.addEventListener("hashchange", listener);
}

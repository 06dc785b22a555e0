/** Which addresses may be followed, and which may be shown in place. */

/** The address if it is an absolute http or https one, else null: javascript:, data: and the like are never linked. */
export function safeLink(address) {
  if (typeof address !== "string" || !/^https?:\/\//iu.test(address.trim())) return null;
  try {
    return new URL(address.trim()).href;
  } catch {
    return null;
  }
}

/** The address if it is one of the desk's own, else null. */
export function ownAddress(address) {
  if (typeof address !== "string" || address === "") return null;
  try {
    const url = new URL(address, location.origin);
    return url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * The address if the page may load it as picture, sound or film, else null: the page's policy allows the desk's own
 * files and data it holds itself, so nothing a bot sends can make an agent's browser call a stranger.
 *
 * @param kind image, audio or video.
 */
export function inlineSource(address, kind) {
  if (typeof address !== "string") return null;
  if (address.startsWith("blob:") || address.startsWith(`data:${kind}/`)) return address;
  return ownAddress(address);
}

/** The host of a link, for people. */
export function hostOf(link) {
  const safe = safeLink(link);
  return safe ? new URL(safe).host : "";
}

/** The last part of an address's path, as a file name; empty when there is none. */
export function fileNameOf(address) {
  const link = safeLink(address);
  if (!link) return "";
  const last = new URL(link).pathname.split("/").at(-1);
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** A size in bytes for people, such as "183 kB". */
export function sizeText(bytes) {
  if (typeof bytes !== "number" || !Number.isFinite(bytes) || bytes < 0) return "";
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Files on their way into a draft. An upload goes on while another ticket is open, and ends up in its own draft. */

import { upload } from "./api.js";
import { draft, keepDraft } from "./drafts.js";
import { store } from "./store.js";

export const MOST_FILES = 20;

let running = [];

const of = (ticket, mode) => (entry) => entry.ticket === ticket && entry.mode === mode;

/** Uploads of a draft that are under way or failed: `{name, share, error, passing}`. */
export const uploadsOf = (ticket, mode) => running.filter(of(ticket, mode));

/** Whether files of a draft are still under way. */
export const isUploading = (ticket, mode) => uploadsOf(ticket, mode).some((entry) => !entry.error);

async function start(entry) {
  entry.error = "";
  entry.share = 0;
  entry.controller = new AbortController();
  store.changed("uploads");
  try {
    const attachment = await upload(entry.file, {
      signal: entry.controller.signal,
      onProgress: (share) => {
        entry.share = share;
        store.changed("uploads");
      },
    });
    if (!running.includes(entry)) return;
    running = running.filter((one) => one !== entry);
    const { attachments } = draft(entry.ticket, entry.mode);
    const all = [...attachments, { ...attachment, order: entry.order }].sort((one, other) => (one.order ?? 0) - (other.order ?? 0));
    keepDraft(entry.ticket, entry.mode, { attachments: all });
  } catch (error) {
    entry.error = error.status === 415 ? "The desk does not take files of this type." : error.message;
    entry.passing = error.passing;
  }
  store.changed("uploads");
}

/** Upload files into a draft; returns how many were too many. */
export function addFiles(ticket, mode, files) {
  const room = MOST_FILES - draft(ticket, mode).attachments.length - uploadsOf(ticket, mode).length;
  const taken = [...files].slice(0, Math.max(0, room));
  const now = Date.now();
  for (const [index, file] of taken.entries()) {
    // Files stand in the order they were chosen in, whichever is there first.
    const order = now + index / 100;
    const entry = { order, ticket, mode, file, name: file.name || "file", share: 0, error: "", passing: false, controller: null };
    running.push(entry);
    void start(entry);
  }
  return files.length - taken.length;
}

/** Try a failed upload again. */
export function retryUpload(entry) {
  void start(entry);
}

/** Stop an upload, or dismiss a failed one. */
export function cancelUpload(entry) {
  running = running.filter((one) => one !== entry);
  entry.controller?.abort();
  store.changed("uploads");
}

/** Path of the inbox, wherever the desk is mounted: this file is at `…/inbox/static/js/base.js`. */
export const BASE = new URL("../..", import.meta.url).pathname.replace(/\/$/u, "");

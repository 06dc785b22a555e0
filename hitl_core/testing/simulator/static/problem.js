/** What went wrong, said once, at the edge of the page. */

import { Refused } from "./api.js";
import { byId } from "./dom.js";

/** Show a sentence, or none. */
export function problem(text) {
  byId("problem").hidden = text === null;
  byId("problem-text").textContent = text ?? "";
}

/** Do something; say whether it went well, and to the agent why it did not. */
export async function work(job) {
  try {
    await job();
    problem(null);
    return true;
  } catch (error) {
    problem(error instanceof Refused ? error.message : "Something went wrong. Please reload the page.");
    return false;
  }
}

byId("problem-close").addEventListener("click", () => problem(null));

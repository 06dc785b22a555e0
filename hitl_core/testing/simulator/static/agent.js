/** The agent's page of a simulator: everything on it comes from, and goes to, the control API. */

import "./me.js";
import "./list.js";
import "./thread.js";
import "./composer.js";
import { refresh } from "./store.js";

refresh();

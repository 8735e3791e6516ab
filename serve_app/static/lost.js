// An address that leads nowhere: what to do instead.

import { customerShell } from "./shell.js";

customerShell("lost.title");

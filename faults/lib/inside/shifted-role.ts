import "./shifted-clock.ts";
import { startApi, startScheduler, startWorker } from "holdfast";
import application from "./application.ts";
import { live } from "./live.ts";
import { openTrace } from "./trace.ts";

/** The role that the laboratory names, with a clock of its own. */
const roles = { api: startApi, worker: startWorker, scheduler: startScheduler };

openTrace();
await live(() => roles[process.env.LAB_ROLE as keyof typeof roles](application));

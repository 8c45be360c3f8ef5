import "./shifted-clock.ts";
import { startScheduler } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import application from "./application.ts";
import { live } from "./live.ts";
import { openTrace } from "./trace.ts";

/** The role named by `LAB_ROLE`, with a shifted clock. */
const roles = { api: startApi, worker: startWorker, scheduler: startScheduler };

openTrace();
await live(() => roles[process.env.LAB_ROLE as keyof typeof roles](application));

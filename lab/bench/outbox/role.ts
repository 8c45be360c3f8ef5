import { startRelay } from "holdfast/postgres";
import { startWorker } from "holdfast/worker";
import application from "./application.ts";

await (process.argv[2] === "relay" ? startRelay(application) : startWorker(application));
process.send?.("ready");

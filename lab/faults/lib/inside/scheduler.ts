import { startScheduler } from "holdfast";
import application from "./application.ts";
import { live } from "./live.ts";

await live(() => startScheduler(application));

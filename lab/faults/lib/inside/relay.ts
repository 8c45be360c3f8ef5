import { startRelay } from "holdfast/postgres";
import application from "./application.ts";
import { live } from "./live.ts";

await live(() => startRelay(application));

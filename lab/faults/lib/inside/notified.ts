import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { live } from "./live.ts";
import application from "./notified-application.ts";

await live(async () =>
  process.env.LAB_LIFE?.startsWith("api") ? await startApi(application) : await startWorker(application),
);

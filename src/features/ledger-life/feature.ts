import type { Feature } from "../../core/feature.ts";

/** What no step of an effect can do at its job's end: a ledger expires, a doubt is listed, a job whose doubts are resolved goes on. */
export const ledgerLife: Feature = {
  name: "ledger-life",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};

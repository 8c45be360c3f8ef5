// One producer and one mounted API for the whole server.
import { createProducer, defineConfig } from "holdfast";
import { createHandler } from "holdfast/server";
import { welcome } from "../jobs/contract";

// Contracts alone: the bundler would follow an application to its handlers.
const application = defineConfig({ jobs: [welcome] });

export const openProducer = once("producer", () => createProducer(application));
export const openApi = once("api", () => createHandler(application, { prefix: "/jobs-admin" }));

/** Next.js loads this module more than once, and in development after each change; `globalThis` stays. */
function once<Value>(name: string, open: () => Promise<Value>): () => Promise<Value> {
  const kept = globalThis as { [name: symbol]: Promise<Value> | undefined };
  const key = Symbol.for(`jobs ${name}`);
  return () => {
    kept[key] ??= open().catch((error: unknown) => {
      kept[key] = undefined; // the next request tries again
      throw error;
    });
    return kept[key];
  };
}

import type { Calls } from "../calls/call.ts";
import { applicationOf } from "./application.ts";
import { startWorker } from "./holdfast.ts";

/** Runs the rows in one runtime: a real worker, with real client libraries. Ends with its standard input. */

const { TRUTH_LIBRARIES: names = "", TRUTH_CONTROL: control = "" } = process.env;

const libraries = new Map<string, Calls>();
const unloadable: Record<string, string> = {};
for (const name of names.split(",")) {
  try {
    const { calls }: { calls: Calls } = await import(`../calls/${name}.ts`);
    libraries.set(name, calls);
  } catch (error) {
    unloadable[name] = String(error).split("\n", 1)[0] ?? "";
  }
}

const application = applicationOf(libraries, async (row) => {
  await fetch(`${control}/attempts/${row}`, { method: "POST" });
});
const worker = await startWorker(application);
// A library may leave a promise that nobody handles; a worker in production would log it, and so does this one.
process.on("unhandledRejection", (error) => console.error("unhandled rejection:", error));
process.on("uncaughtException", (error) => console.error("uncaught exception:", error));
console.log(JSON.stringify({ ready: true, unloadable }));
process.stdin.resume().once("end", async () => {
  await worker.stop();
  process.exit(0);
});

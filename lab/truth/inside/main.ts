import type { Calls } from "../calls/call.ts";
import { applicationOf } from "./application.ts";
import { startWorker } from "./holdfast.ts";
import { slowDownNames } from "./slow-names.ts";

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

slowDownNames("slow.test");
const application = applicationOf(libraries, async (row) => {
  await fetch(`${control}/attempts/${row}`, { method: "POST" });
});
const worker = await startWorker(application);
// Either would end a worker. Here the other rows go on, and the report says so.
const report = (error: unknown) => console.log(JSON.stringify({ uncaught: String(error).split("\n", 1)[0] }));
process.on("unhandledRejection", report).on("uncaughtException", report);
console.log(JSON.stringify({ ready: true, unloadable }));
process.stdin.resume().once("end", async () => {
  await worker.stop();
  process.exit(0);
});

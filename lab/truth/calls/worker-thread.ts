import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { http } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { scriptOf } from "./script.ts";

/** A thread that the effect starts. */
async function send(target: Target): Promise<unknown> {
  const worker = new Worker(`(async () => { ${scriptOf(target)} })()`, { eval: true, execArgv: [] });
  await once(worker, "exit");
  return "done";
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { http } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";

let child: ChildProcess | undefined;

/** A program that runs already, and is told what to do. */
async function send({ protocol, host, port }: Target): Promise<unknown> {
  child ??= fork(fileURLToPath(new URL("./told.mjs", import.meta.url)), { execArgv: [] });
  child.setMaxListeners(0);
  const told = { protocol, host, port };
  child.send(told);
  for (;;) {
    const [answer] = await once(child, "message");
    if (answer === port) return "done";
  }
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

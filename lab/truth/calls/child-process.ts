import { spawn } from "node:child_process";
import { once } from "node:events";
import { http } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { scriptOf } from "./script.ts";

const args = "Deno" in globalThis ? ["eval"] : ["--input-type=module", "-e"];

/** A program that the effect starts. */
async function send(target: Target): Promise<unknown> {
  const child = spawn(process.execPath, [...args, scriptOf(target)], { stdio: "ignore" });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the program ended with ${code}`);
  return "done";
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

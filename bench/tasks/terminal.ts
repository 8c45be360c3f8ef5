import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../test/support/command.ts";

const BIN = fileURLToPath(new URL("../../bin/holdfast", import.meta.url));

export interface Ended {
  readonly stdout: string;
  readonly ms: number;
}

/** Runs a command of the shipped command line to its end. @throws Error unless it exits with 0 */
export async function runCli(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] += text;
    });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`holdfast ${args.join(" ")}: exit code ${code}\n${printed.stderr}`);
  return { stdout: printed.stdout, ms: performance.now() - began };
}

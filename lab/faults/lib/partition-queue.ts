import { spawn } from "node:child_process";
import { once } from "node:events";
import { neutralEnvironment } from "./processes.ts";
import type { Testbed } from "./testbed.ts";

const TRIES_MAX = 10;
/** The command's exit code when Redis is too slow for it. */
const STORE_OUT_OF_REACH = 3;

type With = Pick<Testbed, "installation" | "env">;

/**
 * Divides the default queue by the command.
 *
 * @param killAfterMs when it is killed, in milliseconds
 */
export async function partition(testbed: With, count: number, killAfterMs?: number): Promise<void> {
  let code = await tryToPartition(testbed, count, killAfterMs);
  for (let tries = 1; code === STORE_OUT_OF_REACH && tries < TRIES_MAX; tries += 1)
    code = await tryToPartition(testbed, count, killAfterMs);
  if (killAfterMs === undefined && code !== 0)
    throw new Error(`holdfast queues partition ended with ${code}`);
}

/** @returns its exit code */
async function tryToPartition(
  { installation, env }: With,
  count: number,
  killAfterMs?: number,
): Promise<number | null> {
  const command = spawn(
    process.execPath,
    [installation.cli, "queues", "partition", "default", String(count)],
    {
      env: { ...neutralEnvironment(), ...env },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const ended = once(command, "exit");
  if (killAfterMs !== undefined) setTimeout(() => command.kill("SIGKILL"), killAfterMs).unref();
  const [code] = await ended;
  return code as number | null;
}

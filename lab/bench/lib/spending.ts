import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";

/** Where the time of one job went, in microseconds unless stated. */
export interface Spent {
  /** CPU time of the measured process; NaN if the system does not report it. */
  readonly process: number;
  /** Redis's busy time, including the disk. */
  readonly store: number;
  /** The part of it in commands, including scripts. */
  readonly commands: number;
  /** Jobs per turn of Redis's event loop. Each turn that wrote waits once for the disk. */
  readonly jobsPerTurn: number;
}

/** Starts counting. @returns a function that ends it, given the number of jobs */
export async function countSpending(
  client: Redis,
  pid: number | undefined,
): Promise<(jobs: number) => Promise<Spent>> {
  const before = { processor: processorOf(pid), ...(await loopOf(client)) };
  return async (jobs) => {
    const now = { processor: processorOf(pid), ...(await loopOf(client)) };
    return {
      process: (now.processor - before.processor) / jobs,
      store: (now.busy - before.busy) / jobs,
      commands: (now.commands - before.commands) / jobs,
      jobsPerTurn: jobs / (now.turns - before.turns),
    };
  };
}

async function loopOf(client: Redis) {
  const info = await client.info("stats");
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
  return {
    turns: field("eventloop_cycles"),
    busy: field("eventloop_duration_sum"),
    commands: field("eventloop_duration_cmd_sum"),
  };
}

/** Linux counts a process's time in hundredths of a second. */
const TICK_MICROSECONDS = 10_000;

/** CPU time of a process so far, in user and kernel mode. */
function processorOf(pid: number | undefined): number {
  if (process.platform !== "linux" || pid === undefined) return Number.NaN;
  // The name before the closing bracket may hold anything; fields 14 and 15 of proc(5) follow it.
  const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/.*\) /s);
  const [user, system] = fields.split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * TICK_MICROSECONDS;
}

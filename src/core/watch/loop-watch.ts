import inspector from "node:inspector";
import { Worker } from "node:worker_threads";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";
import { header, jobBytes, slotBytes, tableOffset, watchFromThread } from "./loop-watch-thread.ts";

export interface LoopWatchOptions {
  /** What the process is called in its log. */
  readonly role: string;
  /** How long its event loop may be silent while no job runs, in milliseconds. */
  readonly silentMs: number;
}

/** A starved machine is not a blocked loop. */
const SILENT_LEAST_MS = 2_000;
const TICK_MOST_MS = 1_000;
/** Further jobs are not named, and count with the longest time-out that any of them had. */
const SLOTS = 256;
/** The thread only counts. */
const limits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, codeRangeSizeMb: 4, stackSizeMb: 1 };

let table: WorkTable | undefined;

/**
 * Ends this process when its event loop is blocked, e.g. by a handler that never yields. A thread watches the loop, because nothing in
 * the loop can. The limit is `silentMs` plus the longest time-out of the running jobs: by then their locks are lost, and nothing they
 * do counts any more.
 *
 * It logs one line (`EVENT_LOOP_BLOCKED`) that names the jobs, then sends SIGKILL: no loop is left to stop anything. The jobs are found
 * as stalled, and count as a crash. Nothing is ended while a debugger is attached.
 *
 * Call it only from the process's owner, never from a library in somebody else's process.
 */
export function endOnBlockedLoop({ role, silentMs }: LoopWatchOptions): Running {
  const memory = new SharedArrayBuffer(tableOffset + SLOTS * slotBytes);
  const words = new Int32Array(memory);
  const allowedMs = Math.max(silentMs, SILENT_LEAST_MS);
  const tickMs = Math.min(TICK_MOST_MS, allowedMs / 4);
  const thread = new Worker(`(${watchFromThread.toString()})()`, {
    eval: true,
    execArgv: [],
    workerData: { memory, role, allowedMs, tickMs, header, jobBytes, slotBytes, tableOffset },
    resourceLimits: limits,
  });
  // It ends with the process. A process that cannot have it runs without.
  thread.unref();
  thread.on("error", () => {});
  const beat = () => {
    Atomics.add(words, header.beats, 1);
    Atomics.store(words, header.isInspected, inspector.url() === undefined ? 0 : 1);
  };
  const timer = setInterval(beat, tickMs / 2).unref();
  table = openTable(words, Buffer.from(memory));
  return {
    stop: stopOnce(async () => {
      table = undefined;
      clearInterval(timer);
      await thread.terminate();
    }),
  };
}

/** Names the jobs of a partition as they run: a process whose event loop is blocked logs them as it ends. */
export function nameRunningJobs({ handlers }: ConsumedPartition): PartitionPart {
  return {
    around: (job, run) => atWork(job.id, handlers.get(job.type)?.job.timeoutMs ?? 0, () => run(job)),
  };
}

/** Runs one job. The thread knows of it before it begins: a blocked loop cannot report anything. */
function atWork<T>(jobId: string, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  return table === undefined ? run() : watched(table, jobId, timeoutMs, run);
}

async function watched<T>(
  known: WorkTable,
  jobId: string,
  timeoutMs: number,
  run: () => Promise<T>,
): Promise<T> {
  const slot = known.enter(jobId, timeoutMs);
  try {
    return await run();
  } finally {
    known.leave(slot);
  }
}

type WorkTable = ReturnType<typeof openTable>;

/** The running jobs, in the thread's memory. */
function openTable(words: Int32Array, bytes: Buffer) {
  const free = Array.from({ length: SLOTS }, (_, slot) => SLOTS - 1 - slot);
  return {
    enter(jobId: string, timeoutMs: number) {
      const slot = free.pop();
      if (slot === undefined) {
        const longest = Math.max(Atomics.load(words, header.unnamedMs), timeoutMs);
        Atomics.store(words, header.unnamedMs, longest);
        return -1;
      }
      const at = tableOffset + slot * slotBytes;
      const length = bytes.write(jobId, at + slotBytes - jobBytes, jobBytes, "latin1");
      Atomics.store(words, at / 4 + 1, length);
      Atomics.store(words, at / 4, timeoutMs + 1);
      return slot;
    },
    leave(slot: number) {
      if (slot < 0) return;
      Atomics.store(words, (tableOffset + slot * slotBytes) / 4, 0);
      free.push(slot);
    },
  };
}

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { outputOf } from "./report.ts";

/** What a process went through while something was done to it. */
export interface Strain {
  /** How much its resident memory grew at most, in MiB. */
  readonly grownMiB: number;
  /**
   * The longest that its liveness took, in milliseconds, without what its thread and the asker's waited for a processor: others may be busy,
   * too. Infinite if one was not answered with 200.
   */
  readonly slowestMs: number;
}

const EVERY_MS = 25;

/** Looks at a process's memory, and asks again and again on new connections whether it lives, until `work` is done. */
export async function strainOf(pid: number, url: string, work: () => Promise<unknown>): Promise<Strain> {
  const memory = () => Number(outputOf("ps", "-o", "rss=", "-p", String(pid))) / 1_024;
  const waitedMs = () => waitedForProcessorMs(pid) + waitedForProcessorMs(process.pid);
  await askLiveness(url);
  const before = memory();
  let peak = before;
  let slowestMs = 0;
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      const [begun, waited] = [performance.now(), waitedMs()];
      const lives = await askLiveness(url);
      const tookMs = performance.now() - begun - (waitedMs() - waited);
      slowestMs = Math.max(slowestMs, lives ? tookMs : Number.POSITIVE_INFINITY);
      peak = Math.max(peak, memory());
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  const watching = watch();
  await work().finally(() => {
    isOver = true;
  });
  await watching;
  return { grownMiB: peak - before, slowestMs };
}

/** How long a process's main thread could run and got no processor, in milliseconds. Only Linux tells; elsewhere 0. */
export function waitedForProcessorMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ");
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}

function askLiveness(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(new URL("/health/live", url), { agent: false, timeout: 60_000 }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode === 200));
    });
    asked.once("error", () => resolve(false)).once("timeout", () => asked.destroy());
    asked.end();
  });
}

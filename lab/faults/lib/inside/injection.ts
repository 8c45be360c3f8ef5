import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Failpoint } from "../../../../src/core/failpoints.ts";
import type { CommitPoint, InjectionKind, InjectionPoint } from "./points.ts";
import { trace } from "./trace.ts";

interface Injection {
  readonly at: InjectionPoint | CommitPoint;
  readonly how: InjectionKind;
}

const armed = new Map<string, Injection>();

/** Whether this worker injects no faults and only takes over from others. */
const isImmune = process.env.LAB_IMMUNE === "yes";

/** @returns false if the job's fault is still to come and this worker must not run it */
export function arm(jobId: string, injection: Injection | undefined): boolean {
  if (injection === undefined || isClaimed(jobId)) return true;
  if (isImmune) return false;
  armed.set(jobId, injection);
  return true;
}

/** Called at each point of each attempt; injects the armed fault once per job. */
export async function pass(point: InjectionPoint | CommitPoint | Failpoint, jobId: string): Promise<void> {
  trace(point, jobId);
  const injection = armed.get(jobId);
  if (injection?.at !== point || !claimMarker(jobId)) return;
  trace("injected", jobId, `${injection.how}@${point}`);
  await inject[injection.how]();
}

const inject: Record<InjectionKind, () => Promise<void>> = {
  async kill() {
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  },
  async stop() {
    process.kill(process.pid, "SIGSTOP");
    // The signal may stop another thread first; this one must not run on.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  },
  async store() {
    const isDead = new Promise((resolve) => process.once("message", resolve));
    process.send?.({ inject: "store" });
    await isDead;
  },
};

/** @returns false if it was claimed before, by whatever process */
export function claimMarker(name: string): boolean {
  try {
    closeSync(openSync(marker(name), "wx"));
    return true;
  } catch {
    return false;
  }
}

export function isClaimed(name: string): boolean {
  return existsSync(marker(name));
}

function marker(name: string): string {
  return join(process.env.LAB_DIR ?? "", "injected", name);
}

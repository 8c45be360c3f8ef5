import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { createOperator, HoldfastError, type StandaloneOperator } from "holdfast";
import type { Failpoint } from "../../../src/telemetry/failpoints.ts";
import type { ActPayload } from "./application.ts";
import type { InjectionKind, InjectionPoint } from "./points.ts";
import { trace } from "./trace.ts";

type Injection = NonNullable<ActPayload["inject"]>;

const armed = new Map<string, Injection>();

/** Whether this worker takes the blows, or only takes over from those that did. */
const isImmune = process.env.LAB_IMMUNE === "yes";

/** @returns false when the job's strike is still to come and must fall on another worker */
export function arm(jobId: string, inject: Injection | undefined): boolean {
  if (inject === undefined || existsSync(marker(jobId))) return true;
  if (isImmune) return false;
  armed.set(jobId, inject);
  return true;
}

/** Told at each point of each attempt; where this is the one, it strikes, once per job whatever becomes of us. */
export async function pass(point: InjectionPoint | Failpoint, jobId: string): Promise<void> {
  trace(point, jobId);
  const inject = armed.get(jobId);
  if (inject?.at !== point || !claimMarker(jobId)) return;
  trace("struck", jobId, `${inject.how}@${point}`);
  await blows[inject.how](jobId);
}

const blows: Record<InjectionKind, (jobId: string) => Promise<void>> = {
  async kill() {
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  },
  async stop() {
    process.kill(process.pid, "SIGSTOP");
    // The signal can fall on another thread first; this one must not run on meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  },
  async store() {
    const isDead = new Promise((resolve) => process.once("message", resolve));
    process.send?.({ inject: "store" });
    await isDead;
  },
  async cancel(jobId) {
    operator ??= operatorOfItsOwn();
    trace("answered", jobId, await (await operator).cancel(jobId).catch(codeOf));
  },
};

/** Its connection is not the worker's. */
let operator: Promise<StandaloneOperator> | undefined;

async function operatorOfItsOwn(): Promise<StandaloneOperator> {
  const { default: application } = await import("./application.ts");
  return await createOperator(application);
}

function codeOf(error: unknown): string {
  return error instanceof HoldfastError ? error.code : "OTHER";
}

function claimMarker(jobId: string): boolean {
  try {
    closeSync(openSync(marker(jobId), "wx"));
    return true;
  } catch {
    return false;
  }
}

function marker(jobId: string): string {
  return join(process.env.LAB_DIR ?? "", "struck", jobId);
}

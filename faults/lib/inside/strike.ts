import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { createOperator, HoldfastError, type StandaloneOperator } from "holdfast";
import type { FaultPoint } from "../../../src/observe/fault-points.ts";
import type { ActPayload } from "./application.ts";
import type { StrikeKind, StrikePoint } from "./points.ts";
import { trace } from "./trace.ts";

type Strike = NonNullable<ActPayload["strike"]>;

const armed = new Map<string, Strike>();

/** Whether this worker takes the blows, or only takes over from those that did. */
const isImmune = process.env.LAB_IMMUNE === "yes";

/** @returns false when the job's strike is still to come and must fall on another worker */
export function arm(jobId: string, strike: Strike | undefined): boolean {
  if (strike === undefined || existsSync(marker(jobId))) return true;
  if (isImmune) return false;
  armed.set(jobId, strike);
  return true;
}

/** Told at each point of each attempt; where this is the one, it strikes, once per job whatever becomes of us. */
export async function pass(point: StrikePoint | FaultPoint, jobId: string): Promise<void> {
  trace(point, jobId);
  const strike = armed.get(jobId);
  if (strike?.at !== point || !claim(jobId)) return;
  trace("struck", jobId, `${strike.how}@${point}`);
  await blows[strike.how](jobId);
}

const blows: Record<StrikeKind, (jobId: string) => Promise<void>> = {
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
    process.send?.({ strike: "store" });
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

function claim(jobId: string): boolean {
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

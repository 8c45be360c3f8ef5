import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EffectCall, HoldfastError, PermanentError, RetryAfterError } from "holdfast";
import {
  type ActPayload,
  act,
  blocking,
  bystander,
  deadly,
  declined,
  late,
  odd,
  probed,
  refused,
  tick,
} from "./application.ts";
import { arm, pass } from "./injection.ts";
import { oddValues } from "./odd-values.ts";
import { trace } from "./trace.ts";

/** Grows with each refusal: a worker that takes blows gets the job before its attempts are used up. */
const DECLINED_MS = 300;

const actHandler = act.handler(async ({ payload, jobId, idempotencyKey, attempt, effect }) => {
  trace("begun", jobId);
  if (!arm(jobId, payload.inject)) throw new RetryAfterError(DECLINED_MS * attempt);
  await traced(jobId, () => effect("tell", (call) => tell(call, jobId, idempotencyKey, payload)));
  return {};
});

const tickHandler = tick.handler(async ({ jobId, idempotencyKey, effect }) => {
  trace("begun", jobId);
  const payload = { beforeMs: 0, afterMs: 0 };
  await traced(jobId, () => effect("tell", (call) => tell(call, jobId, idempotencyKey, payload)));
  return {};
});

const lateHandler = late.handler(async ({ payload, jobId, idempotencyKey, attempt, effect }) => {
  trace("begun", jobId);
  const quick = { beforeMs: 0, afterMs: 0 };
  await traced(jobId, () => effect("tell", (call) => tell(call, jobId, idempotencyKey, quick)));
  if (attempt <= payload.failures) throw new RetryAfterError(payload.delayMs);
  return {};
});

const INDEXES = 1_000;

const refusedHandler = refused.handler(async ({ payload, jobId, effect }) => {
  trace("begun", jobId);
  const refuse = () => Promise.reject(new Error("refused downstream"));
  if (payload.how === "twice") await Promise.all([effect("tell", refuse), effect("tell", refuse)]);
  if (payload.how === "nested") await effect("tell", async () => effect("tell", refuse));
  const indexes = Array.from({ length: INDEXES }, (_, index) => ({ index: String(index) }));
  if (payload.how === "many") await Promise.all(indexes.map((options) => effect("many", refuse, options)));
  return {};
});

const probedHandler = probed.handler(async ({ payload, jobId, effect }) => {
  trace("begun", jobId);
  const hangUp = () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
  // What code without types may answer, or never does.
  const probe = async () =>
    payload.answer === "hangs" ? await new Promise<never>(() => {}) : payload.answer;
  await effect("tell", hangUp, { probe: probe as () => Promise<"unknown"> });
  return {};
});

const deadlyHandler = deadly.handler(async ({ jobId }) => {
  trace("begun", jobId);
  trace("struck", jobId, "kill@begun");
  process.kill(process.pid, "SIGKILL");
  return await new Promise(() => {});
});

/** Two locks of the laboratory's. */
const BLOCKED_MS = 2_000;

const blockingHandler = blocking.handler(async ({ payload, jobId }) => {
  trace("begun", jobId);
  const mark = join(process.env.LAB_DIR ?? "", "struck", jobId);
  if (payload.once && existsSync(mark)) return {};
  writeFileSync(mark, "");
  const until = performance.now() + (payload.once ? BLOCKED_MS : Number.POSITIVE_INFINITY);
  while (performance.now() < until);
  return {};
});

const declinedHandler = declined.handler(async ({ payload, jobId }) => {
  trace("begun", jobId);
  await sleep(payload.ms);
  throw new PermanentError("declined");
});

const bystanderHandler = bystander.handler(async ({ payload, jobId }) => {
  trace("begun", jobId);
  await sleep(payload.ms);
  return {};
});

const oddHandler = odd.handler(({ payload, progress }) => oddValues[payload.kind](progress));

export const handlers = [
  actHandler,
  lateHandler,
  refusedHandler,
  probedHandler,
  tickHandler,
  deadlyHandler,
  blockingHandler,
  declinedHandler,
  bystanderHandler,
  oddHandler,
];

/** The effect: the witness is told, with some time before and after. */
async function tell(call: EffectCall, jobId: string, job: string, payload: ActPayload): Promise<void> {
  await pass("effect:begun", jobId);
  await sleep(payload.beforeMs);
  const body = JSON.stringify({ key: call.key, job, life: process.env.LAB_LIFE });
  const answer = await fetch(process.env.LAB_WITNESS ?? "", { method: "POST", body, signal: call.signal });
  await answer.arrayBuffer();
  await pass("effect:recorded", jobId);
  await sleep(payload.afterMs);
}

/** Notes what became of the effect, also where nobody hears of it any more, as with a worker that was paused. */
async function traced(jobId: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : "OTHER";
    const cause = error instanceof Error && error.cause instanceof HoldfastError ? error.cause.code : "-";
    const isLate = error instanceof Error && error.message.includes("reported it done after");
    trace("threw", jobId, `${code}/${isLate ? "LATE" : cause}`);
    throw error;
  }
}

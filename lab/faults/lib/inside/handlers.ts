import { randomUUID } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EffectCall, PermanentError, RetryAfterError, SnoozeError } from "holdfast";
import {
  type ActPayload,
  act,
  alternating,
  blocking,
  blockingOnce,
  bystander,
  call,
  cards,
  child,
  declined,
  gather,
  indexed,
  type LanePayload,
  odd,
  parent,
  poison,
  rated,
  single,
  sized,
  tick,
  triple,
} from "./contracts.ts";
import { arm, claimMarker, pass } from "./injection.ts";
import { invoiceHandler } from "./invoices.ts";
import { oddValues } from "./odd-values.ts";
import { trace } from "./trace.ts";
import { traced } from "./traced.ts";

interface LaneAttempt {
  readonly payload: LanePayload;
  readonly jobId: string;
  readonly attempt: number;
}

/** Grows with each attempt, so that a worker with faults gets the job before its attempts are used up. */
const DECLINED_MS = 300;

const actHandler = act.handler(async ({ payload, jobId, idempotencyKey, attempt, effect }) => {
  trace("begun", jobId);
  if (!arm(jobId, payload.inject)) throw new RetryAfterError(DECLINED_MS * attempt);
  await traced(jobId, () => effect("notify", (call) => notifyWitness(call, jobId, idempotencyKey, payload)));
  return {};
});

const BETWEEN_CARDS_MS = 20;

const cardsHandler = cards.handler(async ({ payload, jobId, idempotencyKey, attempt, effect }) => {
  trace("begun", jobId);
  if (!arm(jobId, payload.inject)) throw new RetryAfterError(DECLINED_MS * attempt);
  for (const [at, card] of payload.cards.entries()) {
    if (at === attempt) throw new RetryAfterError(BETWEEN_CARDS_MS);
    const notify = (call: EffectCall) => notifyWitness(call, jobId, idempotencyKey, payload);
    await traced(jobId, () => effect("notify", notify, { index: card }));
  }
  return { cards: payload.cards };
});

const sizedHandler = sized.handler(async ({ payload, jobId, idempotencyKey, effect }) => {
  trace("begun", jobId);
  await traced(jobId, () => effect("notify", (call) => notifyWitness(call, jobId, idempotencyKey, payload)));
  if (payload.fails) throw new PermanentError("on request");
  return { text: payload.text };
});

const tickHandler = tick.handler(async ({ jobId, idempotencyKey, effect }) => {
  trace("begun", jobId);
  const payload = { beforeMs: 0, afterMs: 0 };
  await traced(jobId, () => effect("notify", (call) => notifyWitness(call, jobId, idempotencyKey, payload)));
  return {};
});

const gatherHandler = gather.handler(async ({ jobId, children }) => {
  trace("begun", jobId);
  let ended = 0;
  for await (const _ of children()) ended += 1;
  if (ended !== 1) throw new PermanentError(`${ended} of 1 children have ended`);
  return {};
});

const poisonHandler = poison.handler(async ({ jobId }) => {
  trace("begun", jobId);
  trace("injected", jobId, "kill@begun");
  process.kill(process.pid, "SIGKILL");
  return await new Promise(() => {});
});

/** Two lock times. */
const BLOCKED_MS = 2_000;

const blockingOnceHandler = blockingOnce.handler(async ({ jobId }) => {
  trace("begun", jobId);
  const mark = join(process.env.LAB_DIR ?? "", "injected", jobId);
  if (existsSync(mark)) return {};
  writeFileSync(mark, "");
  const until = performance.now() + BLOCKED_MS;
  while (performance.now() < until);
  return {};
});

const blockingHandler = blocking.handler(async ({ jobId }) => {
  trace("begun", jobId);
  for (;;);
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

/** Both ways to wait: together they are allowed 200 times. */
const alternatingHandler = alternating.handler(async ({ payload, jobId, attempt }) => {
  trace("begun", jobId);
  await sleep(payload.ms);
  throw attempt % 2 === 0 ? new SnoozeError(payload.delayMs) : new RetryAfterError(payload.delayMs);
});

const childHandler = child.handler(async ({ payload, jobId }) => {
  trace("begun", jobId);
  await sleep(payload.ms);
  if (isAmongFirst(payload.failures, jobId)) throw new PermanentError("on request");
  return {};
});

/** Whether this run is one of a job's first `times`. */
function isAmongFirst(times: number, jobId: string): boolean {
  const marks = Array.from({ length: times }, (_, run) => `${jobId}-${run}`);
  return marks.some(claimMarker);
}

const parentHandler = parent.handler(async ({ jobId, children }) => {
  trace("begun", jobId);
  for await (const _ of children());
  return {};
});

async function runInLane({ payload, jobId, attempt }: LaneAttempt) {
  trace("begun", jobId);
  const { lane, place, ms, failures, inject } = payload;
  if (!arm(jobId, inject)) throw new RetryAfterError(DECLINED_MS * attempt);
  const notify = (what: string) => post(`${what}/${place}/${randomUUID()}`, lane);
  await notify("begin");
  await sleep(ms);
  if (attempt <= failures) throw new Error("on request");
  await notify("end");
  return {};
}

const singleHandler = single.handler(runInLane);
const tripleHandler = triple.handler(runInLane);
const ratedHandler = rated.handler(runInLane);

const indexedHandler = indexed.handler(async ({ payload: { document, version }, jobId }) => {
  trace("begun", jobId);
  await post(`${jobId}/${version}/${randomUUID()}`, document);
  return {};
});

const oddHandler = odd.handler(({ payload, progress }) => oddValues[payload.kind](progress));

const hasDownstream = process.env.LAB_DOWNSTREAM !== undefined;
const withoutDownstream = () => Promise.reject(new PermanentError("there is no downstream"));

/** The client libraries take a sixth of a worker's start, so they are loaded only where there is a downstream. */
const callHandler = hasDownstream
  ? (await import("./downstream/handler.ts")).callHandler
  : call.handler(withoutDownstream);

export const handlers = [
  actHandler,
  gatherHandler,
  invoiceHandler,
  tickHandler,
  poisonHandler,
  blockingHandler,
  blockingOnceHandler,
  declinedHandler,
  bystanderHandler,
  singleHandler,
  tripleHandler,
  ratedHandler,
  indexedHandler,
  oddHandler,
  callHandler,
  cardsHandler,
  sizedHandler,
  alternatingHandler,
  childHandler,
  parentHandler,
];

/** The effect: notifies the witness, with a pause before and after. */
async function notifyWitness(
  call: EffectCall,
  jobId: string,
  job: string,
  payload: ActPayload,
): Promise<void> {
  await pass("effect:begun", jobId);
  await sleep(payload.beforeMs);
  await post(call.key, job, call.fence, call.signal);
  await pass("effect:recorded", jobId);
  await sleep(payload.afterMs);
}

async function post(
  key: string,
  job: string,
  fence?: number,
  signal: AbortSignal | null = null,
): Promise<void> {
  const body = JSON.stringify({ key, job, fence, life: process.env.LAB_LIFE });
  const answer = await fetch(process.env.LAB_WITNESS ?? "", { method: "POST", body, signal });
  await answer.arrayBuffer();
}

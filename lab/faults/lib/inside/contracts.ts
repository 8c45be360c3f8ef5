import { existsSync } from "node:fs";
import { defineJob } from "holdfast";
import { combine, http, smtp } from "holdfast/evidence";
import { z } from "zod";
import { clients, moves } from "./downstream/plan.ts";
import { oddKinds } from "./odd-kinds.ts";
import { commitPoints, injectionKinds, injectionPoints } from "./points.ts";

/** An effect's deadline; other workers call it in doubt one second later. */
export const EFFECT_TIMEOUT_MS = 2_000;

const payload = z.strictObject({
  /** Milliseconds before and after the witness is notified. */
  beforeMs: z.int().min(0),
  afterMs: z.int().min(0),
  inject: z.strictObject({ at: z.enum(injectionPoints), how: z.enum(injectionKinds) }).optional(),
});
export type ActPayload = z.output<typeof payload>;

const result = z.strictObject({});
const manyAttempts = {
  attempts: 100,
  backoff: { kind: "fixed", delayMs: 100 },
  maxStarts: 1_000,
} as const;

/** Two versions of the application differ in their queue. */
const queues = {
  queue: process.env.LAB_QUEUE ?? "default",
  formerQueues: (process.env.LAB_FORMER_QUEUES ?? "").split(",").filter(Boolean),
};

const hasFlowControl = existsSync(new URL("flow-control", import.meta.url));

/** With flow control on, jobs belong to one of three tenants, and some of a tenant's may run at a time. */
function sharedBy<Payload>(tenantOf: (payload: Payload) => number) {
  const key = (payload: Payload) => `tenant-${tenantOf(payload) % 3}`;
  return hasFlowControl ? { fairness: { key }, concurrency: { key, limit: 3 } } : {};
}

/** Notifies the witness, as a guarded effect. */
export const act = defineJob({
  ...queues,
  ...sharedBy<ActPayload>(({ beforeMs }) => beforeMs),
  type: "act",
  payload,
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { notify: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold", classify: http } },
});

/** A parent whose only child is another job. */
export const gather = defineJob({
  ...queues,
  type: "gather",
  payload: z.strictObject({}),
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  onChildFailure: "continue",
});

/** Kills its worker on every run. */
export const poison = defineJob({
  type: "poison",
  payload: z.strictObject({}),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 10_000,
});

/** Blocks the event loop for two locks, on its first start only. A busy machine may cost it more starts. */
export const blockingOnce = defineJob({
  type: "blocking-once",
  payload: z.strictObject({}),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 1_000,
});

/** Blocks the event loop forever. */
export const blocking = defineJob({
  type: "blocking",
  payload: z.strictObject({}),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 }, maxStarts: 2 },
  timeoutMs: 1_000,
});

/** Fails permanently after `ms`. */
export const declined = defineJob({
  type: "declined",
  payload: z.strictObject({ ms: z.int().min(0) }),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 60_000,
});

/** Does nothing for `ms`, with the default limit of starts. */
export const bystander = defineJob({
  type: "bystander",
  payload: z.strictObject({ ms: z.int().min(0) }),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 10_000,
});

const inLane = z.strictObject({
  lane: z.string(),
  /** Among the jobs of the lane, from 0. */
  place: z.int().min(0),
  ms: z.int().min(0),
  /** Attempts that fail before one succeeds. */
  failures: z.int().min(0),
  inject: z.strictObject({ at: z.literal("finish:after"), how: z.enum(injectionKinds) }).optional(),
});
export type LanePayload = z.output<typeof inLane>;

/** Notifies the witness when it begins and ends; one at a time for each lane. */
export const single = defineJob({
  type: "single",
  queue: "lanes",
  payload: inLane,
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  concurrency: { key: ({ lane }) => lane, limit: 1 },
});

/** Three at a time for each lane. */
export const triple = defineJob({
  type: "triple",
  queue: "lanes",
  payload: inLane,
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  concurrency: { key: ({ lane }) => lane, limit: 3 },
});

/** Two starts a second of each lane. */
export const rated = defineJob({
  type: "rated",
  queue: "rates",
  payload: inLane,
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  rate: { key: ({ lane }) => lane, limit: "2/1s" },
});

/** Notifies the witness which version of a document it got. */
export const indexed = defineJob({
  type: "indexed",
  queue: "documents",
  payload: z.strictObject({ document: z.string(), version: z.int().min(0) }),
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
});

/** Returns, throws or reports invalid values. */
export const odd = defineJob({
  type: "odd",
  payload: z.strictObject({ kind: z.enum(oddKinds) }),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 10_000,
});

const callPayload = z.strictObject({
  client: z.enum(clients),
  /** Whether the client has a connection from before the effect. */
  isWarm: z.boolean(),
  /** What the downstream does at each call, in order; afterwards it answers. */
  moves: z.array(z.enum(moves)),
});
export type CallPayload = z.output<typeof callPayload>;

/** Calls a downstream that misbehaves. */
export const call = defineJob({
  ...queues,
  type: "call",
  payload: callPayload,
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { call: { timeoutMs: 8_000, inDoubt: "hold", classify: combine(http, smtp) } },
});

const cardsPayload = payload.extend({ cards: z.array(z.string()) });
export type CardsPayload = z.output<typeof cardsPayload>;

/** One effect for each card, and an attempt more for each of them, so that several workers come to one job. */
export const cards = defineJob({
  ...queues,
  type: "cards",
  payload: cardsPayload,
  result: z.strictObject({ cards: z.array(z.string()) }),
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { notify: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold", classify: http } },
});

const sizedPayload = payload.extend({ text: z.string(), fails: z.boolean() });
export type SizedPayload = z.output<typeof sizedPayload>;

/** Like `act`, of any size; some fail for good. */
export const sized = defineJob({
  ...queues,
  type: "sized",
  payload: sizedPayload,
  result: z.strictObject({ text: z.string() }),
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { notify: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold", classify: http } },
});

/** Runs for `ms` and then waits for `delayMs`, again and again. */
export const alternating = defineJob({
  type: "alternating",
  payload: z.strictObject({ ms: z.int().min(0), delayMs: z.int().min(0) }),
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
});

/** A child that fails for good the first `failures` times it runs. */
export const child = defineJob({
  type: "child",
  payload: z.strictObject({ failures: z.int().min(0), ms: z.int().min(0) }),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 }, maxStarts: 10 },
  timeoutMs: 60_000,
});

/** A parent of any children. */
export const parent = defineJob({
  type: "parent",
  payload: z.strictObject({}),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 }, maxStarts: 10 },
  timeoutMs: 60_000,
});

/** Inserts a row into PostgreSQL, as a database effect. */
export const invoice = defineJob({
  type: "invoice",
  payload: z.strictObject({
    inject: z
      .strictObject({ at: z.enum([...injectionPoints, ...commitPoints]), how: z.enum(["kill", "store"]) })
      .optional(),
  }),
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { insert: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "probe" } },
});

/** Enqueued by the schedule each second. */
export const tick = defineJob({
  type: "tick",
  payload: z.strictObject({ at: z.string() }),
  result,
  retry: manyAttempts,
  timeoutMs: 60_000,
  effects: { notify: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold", classify: http } },
});

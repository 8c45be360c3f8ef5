import { defineConfig, defineJob, defineSchedule } from "holdfast";
import { z } from "zod";
import { oddKinds } from "./odd-kinds.ts";
import { injectionKinds, injectionPoints } from "./points.ts";

/** How long a guarded effect may take; others wait a second longer before they call it in doubt. */
export const EFFECT_TIMEOUT_MS = 2_000;

const payload = z.strictObject({
  /** Milliseconds the effect takes before and after the witness is told. */
  beforeMs: z.int().min(0),
  afterMs: z.int().min(0),
  inject: z.strictObject({ at: z.enum(injectionPoints), how: z.enum(injectionKinds) }).optional(),
});
export type ActPayload = z.output<typeof payload>;

const result = z.strictObject({});
const patientRetry = {
  attempts: 100,
  backoff: { kind: "fixed", delayMs: 100 },
  maxStarts: 1_000,
} as const;

/** Where jobs wait: two versions of the application differ in that. */
const place = {
  queue: process.env.LAB_QUEUE ?? "default",
  formerQueues: (process.env.LAB_FORMER_QUEUES ?? "").split(",").filter(Boolean),
};

/** Tells the witness, as a guarded effect. */
export const act = defineJob({
  ...place,
  type: "act",
  payload,
  result,
  retry: patientRetry,
  timeoutMs: 60_000,
  effects: { tell: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold" } },
});

/** Acts like `act`, and then fails as often as it is asked to. */
export const late = defineJob({
  ...place,
  type: "late",
  payload: z.strictObject({ failures: z.int().min(0), delayMs: z.int().min(0) }),
  result,
  retry: patientRetry,
  timeoutMs: 60_000,
  effects: { tell: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold" } },
});

/** Calls one effect as its payload says, where downstream refuses it each time: what must not become a loop without end. */
export const refused = defineJob({
  ...place,
  type: "refused",
  payload: z.strictObject({ how: z.enum(["twice", "nested", "many"]) }),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 60_000,
  effects: {
    // Short: who finds it reserved waits until that is over.
    tell: { timeoutMs: 500, inDoubt: "hold" },
    many: { timeoutMs: 30_000, inDoubt: "hold" },
  },
});

/** Its effect is never heard of again; what its probe answers is the payload. */
export const probed = defineJob({
  ...place,
  type: "probed",
  payload: z.strictObject({ answer: z.unknown() }),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 10_000,
  effects: { tell: { timeoutMs: 300, inDoubt: "probe" } },
});

/** Ends its worker each time it is run. */
export const deadly = defineJob({
  type: "deadly",
  payload: z.strictObject({}),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 10_000,
});

/** Never gives the event loop back, or where it is `once`, does so after two locks, and only at its first start. */
export const blocking = defineJob({
  type: "blocking",
  payload: z.strictObject({ once: z.boolean() }),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 }, maxStarts: 2 },
  timeoutMs: 1_000,
});

/** Fails for good, after a while. */
export const declined = defineJob({
  type: "declined",
  payload: z.strictObject({ ms: z.int().min(0) }),
  result,
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 60_000,
});

/** Does nothing for a while, with the default bound on its starts. */
export const bystander = defineJob({
  type: "bystander",
  payload: z.strictObject({ ms: z.int().min(0) }),
  result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 10_000,
});

/** Gives back, throws or reports what no handler should. */
export const odd = defineJob({
  type: "odd",
  payload: z.strictObject({ kind: z.enum(oddKinds) }),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 10_000,
});

/** What the schedule enqueues each second. */
export const tick = defineJob({
  type: "tick",
  payload: z.strictObject({ at: z.string() }),
  result,
  retry: patientRetry,
  timeoutMs: 60_000,
  effects: { tell: { timeoutMs: EFFECT_TIMEOUT_MS, inDoubt: "hold" } },
});

export default defineConfig({
  jobs: [act, late, refused, probed, deadly, blocking, declined, bystander, odd, tick],
  handlers: async () => (await import("./handlers.ts")).handlers,
  schedules: [
    defineSchedule({
      name: "each-second",
      everyMs: 1_000,
      job: tick,
      payload: ({ at }) => ({ at: at.toISOString() }),
    }),
  ],
});

/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { defineJob, defineSchedule, type JobContract } from "holdfast";
import { z } from "zod";

const report = defineJob({
  type: "report",
  payload: z.strictObject({ month: z.string(), copies: z.number().default(1) }),
  result: z.strictObject({ pages: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 1_000,
});

export const isAnyContract: JobContract = report;
export const keepsItsType: "report" = report.type;

// A handler gets the parsed payload, with defaults…
report.handler(async ({ payload, attempt, signal, jobId, idempotencyKey, log, progress }) => {
  const copies: number = payload.copies;
  const month: string = payload.month;
  log.info(`${month} ${idempotencyKey} ${jobId}`, { attempt, isAborted: signal.aborted });
  await progress({ percent: 50 });
  // @ts-expect-error the payload has no such member
  payload.year;
  // @ts-expect-error a payload belongs to the job; a handler must not change it to something else
  payload.copies = "two";
  // @ts-expect-error progress is a number or an object
  await progress("half");
  return { pages: copies };
});

// …and must return what the contract says.
// @ts-expect-error pages is a number
report.handler(async () => ({ pages: "3" }));
// @ts-expect-error pages is missing
report.handler(async () => ({}));
// @ts-expect-error nothing is returned
report.handler(async () => {});
// @ts-expect-error a handler is asynchronous
report.handler(() => ({ pages: 3 }));

const wellFormed = {
  type: "job",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
} as const;

defineJob(wellFormed);
defineJob({ ...wellFormed, queue: "slow" });
defineJob({
  ...wellFormed,
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1, jitter: 0.5 } },
});
const ofOrders = z.strictObject({ order: z.number(), lines: z.array(z.strictObject({ sku: z.string() })) });
defineJob({ ...wellFormed, payload: ofOrders, search: ["/order", "/lines/*/sku"] });
// @ts-expect-error the payload has no such member
defineJob({ ...wellFormed, payload: ofOrders, search: ["/oder"] });
// @ts-expect-error a type is text
defineJob({ ...wellFormed, type: 5 });
// @ts-expect-error no such backoff
defineJob({ ...wellFormed, retry: { attempts: 1, backoff: { kind: "linear", delayMs: 1 } } });
// @ts-expect-error a fixed backoff has no jitter
defineJob({ ...wellFormed, retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 1, jitter: 0.5 } } });
// @ts-expect-error the payload must be a schema
defineJob({ ...wellFormed, payload: { month: "string" } });
// @ts-expect-error no such option
defineJob({ ...wellFormed, timeOutMs: 5 });
// @ts-expect-error a time-out is required
defineJob({ type: "job", payload: z.unknown(), result: z.unknown(), retry: wellFormed.retry });

defineSchedule({
  name: "monthly",
  everyMs: 1_000,
  job: report,
  payload: ({ at }) => ({ month: at.toISOString() }),
});
// @ts-expect-error the schedule's payload is not the job's
defineSchedule({ name: "monthly", everyMs: 1_000, job: report, payload: ({ at }) => ({ month: at }) });
// @ts-expect-error cron and timeZone, or everyMs
defineSchedule({ name: "b", everyMs: 1_000, cron: "0 9 * * *", job: report, payload: () => ({ month: "" }) });
// @ts-expect-error cron and timeZone, or everyMs
defineSchedule({ name: "b", everyMs: 1_000, timeZone: "UTC", job: report, payload: () => ({ month: "" }) });

report.handler(async ({ submit }) => {
  (await submit(report, { month: "May" })).id satisfies string;
  await submit(report, { month: "May" }, { name: "again", delayMs: 5, runAt: new Date() });
  // @ts-expect-error the payload is not the job's
  await submit(report, { month: 5 });
  // @ts-expect-error the key is made of the running job's
  await submit(report, { month: "May" }, { idempotencyKey: "k" });
  return { pages: 1 };
});

const mailing = defineJob({
  ...wellFormed,
  effects: { send: { timeoutMs: 1_000, inDoubt: "hold" }, file: { timeoutMs: 1_000, inDoubt: "probe" } },
});

mailing.handler(async ({ effect }) => {
  const sent = await effect("send", async ({ key }) => ({ messageId: key }));
  // @ts-expect-error an effect that an operator resolved as done may have no result
  sent.messageId;
  sent?.messageId satisfies string | undefined;
  // @ts-expect-error no such effect is declared
  await effect("post", async () => 1);
});
// @ts-expect-error a job that declares no effect has none
report.handler(async ({ effect }) => effect("send", async () => ({ pages: 1 })));
// @ts-expect-error what to do in doubt must be said
defineJob({ ...wellFormed, effects: { send: { timeoutMs: 1_000 } } });
// @ts-expect-error repeating is only safe while downstream remembers
defineJob({ ...wellFormed, effects: { send: { timeoutMs: 1_000, inDoubt: "repeat" } } });

const monthly = { ...wellFormed, payload: z.strictObject({ month: z.string() }) };
defineJob({ ...monthly, concurrency: { key: ({ month }) => month, limit: 1 } });
// @ts-expect-error the payload has no such member
defineJob({ ...monthly, concurrency: { key: ({ year }) => year, limit: 1 } });
// @ts-expect-error a key needs its limit
defineJob({ ...monthly, concurrency: { key: ({ month }) => month } });

const secretive = {
  ...wellFormed,
  payload: z.strictObject({
    user: z.strictObject({ password: z.string().optional() }).optional(),
    tokens: z.array(z.strictObject({ value: z.string() })),
  }),
};
defineJob({ ...secretive, redact: { payload: ["/user/password", "/tokens/*/value", "/tokens"] } });
// @ts-expect-error the payload has no such member
defineJob({ ...secretive, redact: { payload: ["/user/pasword"] } });
// @ts-expect-error an element has a number, or means all of them
defineJob({ ...secretive, redact: { payload: ["/tokens/value"] } });

// A parent's handler knows what its children return.
report.handler(async ({ children }) => {
  for await (const child of children(report)) {
    if (child.state === "completed") child.result.pages satisfies number;
    else child.error.code satisfies string;
    // @ts-expect-error a child may have failed
    child.result.pages;
  }
  for await (const { result } of children()) result satisfies unknown;
  return { pages: 0 };
});
defineJob({ ...wellFormed, onChildFailure: "continue" });
// @ts-expect-error no such policy
defineJob({ ...wellFormed, onChildFailure: "ignore" });

// An effect that is declared `probe` needs one…
const probed = defineJob({
  ...wellFormed,
  effects: { ask: { timeoutMs: 1, inDoubt: "probe" }, hold: { timeoutMs: 1, inDoubt: "hold" } },
});
probed.handler(async ({ effect }) => {
  await effect("ask", async () => 1, { probe: async () => "unknown" });
  await effect("ask", async () => 1, { probe: async () => ({ done: 2 }), assumedResult: () => 3 });
  await effect("hold", async () => 1);
  // @ts-expect-error it has no probe
  await effect("ask", async () => 1);
  // @ts-expect-error it has no probe
  await effect("ask", async () => 1, { index: "a" });
  // @ts-expect-error a probe returns what the effect would have returned
  await effect("ask", async () => 1, { probe: async () => ({ done: "two" }) });
  // @ts-expect-error there is no such effect
  await effect("pray", async () => 1);
});

// Payloads and results are JSON.
defineJob({ ...wellFormed, payload: z.strictObject({ at: z.iso.datetime(), note: z.string().optional() }) });
defineJob({ ...wellFormed, payload: z.strictObject({ at: z.coerce.date() }) }).handler(
  async ({ payload }) => {
    payload.at.getTime();
  },
);
defineJob({ ...wellFormed, payload: z.iso.datetime().transform((text) => new Date(text)) });
// @ts-expect-error a client sends a text, which this schema refuses
defineJob({ ...wellFormed, payload: z.strictObject({ at: z.date() }) });
// @ts-expect-error no bigint
defineJob({ ...wellFormed, payload: z.bigint() });
// @ts-expect-error no map
defineJob({ ...wellFormed, result: z.map(z.string(), z.string()) });

const dated = z.strictObject({ kind: z.literal("dated"), at: z.date() });
const large = z.strictObject({ kind: z.literal("large"), sum: z.bigint() });
const plain = z.strictObject({ kind: z.literal("plain") });
// @ts-expect-error the date is in one member of a union
defineJob({ ...wellFormed, payload: z.discriminatedUnion("kind", [plain, dated]) });
// @ts-expect-error a bigint is in one
defineJob({ ...wellFormed, result: z.discriminatedUnion("kind", [plain, large]) });
defineJob({ ...wellFormed, result: z.discriminatedUnion("kind", [plain, dated]) });
defineJob({ ...wellFormed, payload: z.strictObject({ raw: z.json() }), result: z.json() });

// An effect returns what JSON keeps of its result, in each attempt the same…
const holding = defineJob({ ...wellFormed, effects: { act: { timeoutMs: 1, inDoubt: "hold" } } });
interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
}
interface Charge {
  readonly id: string;
  readonly amount?: number;
  readonly card: { readonly last4: string } | null;
  refund(): void;
}
declare const tree: Tree;
declare const charge: Charge;
declare const anything: unknown;
type Raw = z.infer<ReturnType<typeof z.json>>;
declare const raw: Raw;
holding.handler(async ({ effect }) => {
  (await effect("act", async () => new Date())) satisfies string | undefined;
  // @ts-expect-error a date is a text
  (await effect("act", async () => new Date()))?.getTime();
  (await effect("act", async () => ({ at: new Date(), list: [new Date()] as const })))?.at satisfies
    | string
    | undefined;
  (await effect("act", async () => {})) satisfies null | undefined;
  (await effect("act", async () => tree)) satisfies Tree | undefined;
  (await effect("act", async () => charge))?.card?.last4 satisfies string | undefined;
  (await effect("act", async () => charge))?.amount satisfies number | undefined;
  // @ts-expect-error a method is gone
  (await effect("act", async () => charge))?.refund();
  (await effect("act", async () => anything)) satisfies unknown;
  (await effect("act", async () => ({ id: "x", no: undefined as string | undefined })))?.no satisfies
    | string
    | undefined;
  (await effect("act", async ({ key }) => ({ key }), { assumedResult: () => 5 })) satisfies
    | { key: string }
    | 5
    | number;
  // …and nothing that JSON cannot hold.
  // @ts-expect-error no bigint
  await effect("act", async () => 5n);
  // @ts-expect-error no map, however deep
  await effect("act", async () => ({ found: [new Map<string, string>()] }));
  (await effect("act", async () => ({ raw, at: new Date() }))) satisfies { raw: Raw; at: string } | undefined;
  // @ts-expect-error toJSON gives what JSON has no form for
  await effect("act", async () => ({ toJSON: () => 1n }));
  // @ts-expect-error no set
  await effect("act", async () => new Set([1]));
  // @ts-expect-error no symbol
  await effect("act", async () => Symbol("no"));
  // @ts-expect-error no function
  await effect("act", async () => () => 5);
});
probed.handler(async ({ effect }) => {
  const at = await effect("ask", async () => new Date(), { probe: async () => ({ done: new Date() }) });
  at satisfies string | undefined;
});

// …and a classifier returns a verdict.
const effect = { timeoutMs: 1, inDoubt: "hold" } as const;
defineJob({ ...wellFormed, effects: { a: { ...effect, classify: () => undefined } } });
defineJob({ ...wellFormed, effects: { a: { ...effect, classify: () => "not-done" } } });
defineJob({
  ...wellFormed,
  effects: {
    a: { ...effect, classify: (_, { outgoing }) => (outgoing[0]?.status === 402 ? "not-done" : "unknown") },
  },
});
defineJob({
  ...wellFormed,
  effects: { a: { ...effect, classify: () => ({ verdict: "not-done", retryAfterMs: 5, permanent: true }) } },
});
defineJob({ ...wellFormed, effects: { a: { ...effect, onError: "not-done" } } });
// @ts-expect-error no such verdict
defineJob({ ...wellFormed, effects: { a: { ...effect, classify: () => "done" } } });
const late = { verdict: "unknown", retryAfterMs: 5 } as const;
// @ts-expect-error only what did not happen can be tried later
defineJob({ ...wellFormed, effects: { a: { ...effect, classify: () => late } } });
// @ts-expect-error a classifier is a function
defineJob({ ...wellFormed, effects: { a: { ...effect, classify: "stripe" } } });
// @ts-expect-error no such meaning
defineJob({ ...wellFormed, effects: { a: { ...effect, onError: "ignore" } } });

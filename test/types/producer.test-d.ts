/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import {
  defineJob,
  type ErrorCode,
  HoldfastError,
  type JobStatus,
  type PayloadOf,
  type Producer,
  type Receipt,
  type ResultOf,
} from "holdfast";
import { z } from "zod";

declare const producer: Producer;

const report = defineJob({
  type: "report",
  payload: z.strictObject({ month: z.string(), copies: z.number().default(1) }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
const options = { idempotencyKey: "k" };
const payload = { month: "May" };

export const receipt: Promise<Receipt> = producer.submit(report, payload, options);
export const status: Promise<JobStatus | undefined> = producer.status("id");

producer.submit(report, { month: "May", copies: 2 }, { ...options, delayMs: 5, priority: 1 });
producer.submit(report, payload, { ...options, runAt: new Date() });
// @ts-expect-error a member of the payload has the wrong type
producer.submit(report, { month: 5 }, options);
// @ts-expect-error a member of the payload is missing
producer.submit(report, {}, options);
// @ts-expect-error a member of the payload is unknown
producer.submit(report, { month: "May", year: 2026 }, options);
// @ts-expect-error no payload
producer.submit(report, undefined, options);
// @ts-expect-error without a key a lost answer would mean a second job
producer.submit(report, payload, {});
// @ts-expect-error without a key a lost answer would mean a second job
producer.submit(report, payload);
// @ts-expect-error a key is text
producer.submit(report, payload, { idempotencyKey: 42 });
// @ts-expect-error an instant is a Date
producer.submit(report, payload, { ...options, runAt: "2026-12-01T09:00:00Z" });
// @ts-expect-error no such option
producer.submit(report, payload, { ...options, attempts: 5 });
// @ts-expect-error a job, not the name of one
producer.submit("report", payload, options);

producer.submitMany(report, [{ payload, ...options }]).then((results) => {
  for (const result of results) {
    if (result instanceof HoldfastError) {
      const code: ErrorCode = result.code;
      code satisfies string;
    } else {
      result.id satisfies string;
    }
    // @ts-expect-error a refused one has no id
    result.id;
  }
});
// @ts-expect-error each of many needs its own key, too
producer.submitMany(report, [{ payload }]);
// @ts-expect-error one of many has the wrong payload
producer.submitMany(report, [{ payload: { month: 5 }, ...options }]);

// @ts-expect-error no such code
new HoldfastError("NOPE", "message");

const parent = { job: report, payload, idempotencyKey: "july" };
producer.submitFlow({ parent, children: [{ job: report, payload }] }).then(({ children }) => {
  children satisfies number;
});
producer.submitFlow({
  parent,
  children: ["a", "b"].map((name) => ({ job: report, payload, name, delayMs: 5 })),
  onChildFailure: "continue",
});
// @ts-expect-error a parent needs a key
producer.submitFlow({ parent: { job: report, payload }, children: [{ job: report, payload }] });
// @ts-expect-error a parent runs when its children have ended
producer.submitFlow({ parent: { ...parent, delayMs: 5 }, children: [{ job: report, payload }] });
// @ts-expect-error the parent has the wrong payload
producer.submitFlow({ parent: { ...parent, payload: { month: 5 } }, children: [{ job: report, payload }] });
// @ts-expect-error a child has the wrong payload
producer.submitFlow({ parent, children: [{ job: report, payload: { month: 5 } }] });
// @ts-expect-error no such policy
producer.submitFlow({ parent, children: [{ job: report, payload }], onChildFailure: "ignore" });

const counted = defineJob({
  type: "counted",
  payload: z.strictObject({ from: z.number().default(0) }),
  result: z.strictObject({ count: z.number() }),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
// What is submitted, before defaults.
export const submitted: PayloadOf<typeof counted> = {};
// @ts-expect-error the payload has a number
export const misfit: PayloadOf<typeof counted> = { from: "one" };
export const returned: ResultOf<typeof counted> = { count: 1 };
// @ts-expect-error the result has a count
export const empty: ResultOf<typeof counted> = {};

producer.status(counted, "id").then((found) => {
  found?.result?.count.toFixed();
  // @ts-expect-error null until it has completed
  found?.result.count;
  // @ts-expect-error no such member
  found?.result?.total;
});
const dated = defineJob({
  type: "dated",
  payload: z.unknown(),
  result: z.strictObject({ at: z.date() }),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
// A status shows what JSON keeps of a result.
producer.status(dated, "id").then((found) => {
  found?.result?.at satisfies string | undefined;
  // @ts-expect-error a date is a text
  found?.result?.at.getTime();
});
// @ts-expect-error a contract alone says no job
producer.status(counted);
// @ts-expect-error without its contract a result is unknown
producer.status("id").then((found) => found?.result?.count);

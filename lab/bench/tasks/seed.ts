import { HoldfastError, type Producer } from "holdfast";
import type { Redis } from "ioredis";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { ageDoubts } from "../../../test/support/doubts.ts";
import { addCopies, type Lot } from "../../../test/support/job-copies.ts";
import { writePast } from "../../../test/support/past.ts";
import { ranBySchedule } from "../../../test/support/ran-by-schedule.ts";
import { placeOrder, type Trade, trade } from "../../../test/support/shop.ts";
import { type Call, untilAnswer } from "./answers.ts";
import { catalogImport } from "./application.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Few are enough: the others are copies of them. */
const busy: Trade = { confirmations: 40, invoices: 120, hooks: 60, videos: 40 };

export const DOUBTS = 300;
const SCHEDULES = 200;
export const TO_CANCEL = 500;
export const IMPORTS = 6;
/** Whose imports run. */
export const SUPPLIER = "acme";

/** What the tasks are about. */
export interface Cast {
  /** Of one job, which is to be found. */
  readonly wantedKey: string;
  /** To whom its mail went. */
  readonly wantedEmail: string;
  /** A bad deploy's jobs, which are to be cancelled. */
  readonly badTag: string;
  /** When a queue was paused, in milliseconds since 1970: a full hour, as 03:00 is for whoever looks at nine, whatever the clock says now. */
  readonly pausedMs: number;
  /** Holds the running imports until it is opened. */
  readonly gate: string;
  /** A job of each kind, to be copied. */
  readonly samples: Readonly<Record<"sent" | "invoiced" | "noVat" | "hook" | "report" | "video", string>>;
}

interface Page {
  readonly jobs: readonly { readonly id: string }[];
}

/** Submits jobs of each kind, and waits until the worker has run them. */
export async function submitTheNight(
  producer: Producer,
  call: Call,
  env: Readonly<Record<string, string>>,
): Promise<Cast> {
  const gate = `${SUPPLIER}-${Date.now()}-${Math.random()}`;
  const badTag = "deploy:7f3a";
  await untilAccepted(() =>
    Promise.all([
      trade(producer, busy),
      ranBySchedule(env),
      placeOrder(producer, 4_711),
      // Every 90th order leaves its mail in doubt.
      ...Array.from({ length: DOUBTS }, (_, index) => placeOrder(producer, 90_000 + 90 * index)),
      producer.submitMany(
        catalogImport,
        Array.from({ length: IMPORTS }, (_, index) => ({
          payload: { catalog: gate },
          idempotencyKey: `catalog-${index}`,
        })),
      ),
      producer.submitMany(
        catalogImport,
        Array.from({ length: TO_CANCEL }, (_, index) => ({
          payload: { catalog: `bad-${index}` },
          idempotencyKey: `bad-${index}`,
          delayMs: DAY_MS,
          tags: [badTag],
        })),
      ),
    ]),
  );
  const idOf = async (filter: string) => {
    const path = `jobs?limit=1&${filter}`;
    const { jobs } = await untilAnswer<Page>(call, path, (page) => page.jobs.length > 0);
    return jobs[0]?.id ?? "";
  };
  await untilAnswer<{ doubts: unknown[] }>(
    call,
    `doubts?offset=${DOUBTS - 1}`,
    ({ doubts }) => doubts.length > 0,
  );
  await untilAnswer<{ queues: { name: string; active: number; waiting: number }[] }>(
    call,
    "queues",
    ({ queues }) =>
      queues.every(({ name, active, waiting }) =>
        name === "imports" ? active === IMPORTS : name === "media" || active + waiting === 0,
      ),
  );
  await Promise.all(Array.from({ length: SCHEDULES }, (_, index) => putSchedule(call, index)));
  const [sent, invoiced, noVat, hook, report, video] = await Promise.all([
    idOf("type=order-confirmation&state=completed"),
    idOf("type=invoice-pdf&state=completed"),
    idOf("type=invoice-pdf&state=failed"),
    idOf("type=partner-webhook&state=failed"),
    idOf("type=nightly-report&state=completed"),
    idOf("type=video-preview&state=waiting"),
  ]);
  return {
    wantedKey: "order-4711",
    wantedEmail: "customer-211@example.com",
    badTag,
    pausedMs: Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 6 * HOUR_MS,
    gate,
    samples: { sent, invoiced, noVat, hook, report, video },
  };
}

/** Each shop of a chain has its report, once a year. */
async function putSchedule(call: Call, index: number): Promise<void> {
  await untilAnswer(call, `schedules/report-of-shop-${index}`, () => true, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      cron: `0 4 ${1 + (index % 28)} 6 *`,
      timeZone: "UTC",
      type: "nightly-report",
      payload: { night: "2026-06-01T04:00:00Z" },
    }),
  });
}

const TRIES_MAX = 20;

/** On a busy machine Redis may not answer in time. The same keys may be sent again. */
async function untilAccepted(submit: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await submit();
      return;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable) || tries === TRIES_MAX) throw error;
    }
  }
}

interface Kind {
  readonly sample: keyof Cast["samples"];
  readonly queue: string;
  readonly share: number;
  readonly lots: readonly Lot[];
}

/** Failures differ by code and message; numbers in a message do not make another reason. */
const kinds: readonly Kind[] = [
  // Behind those that run and never end.
  { sample: "video", queue: "media", share: 0.54, lots: [{ share: 1, state: "wait" }] },
  { sample: "sent", queue: "default", share: 0.2, lots: [{ share: 1, state: "completed" }] },
  {
    sample: "hook",
    queue: "default",
    share: 0.0285,
    lots: [
      { share: 8, state: "failed" },
      { share: 3, state: "failed", reason: "HANDLER_FAILED: connect ECONNREFUSED 10.0.3.7:443" },
      { share: 3, state: "failed", reason: "ATTEMPT_TIMED_OUT: the attempt took longer than 3600000 ms" },
      { share: 3, state: "failed", reason: "HANDLER_FAILED: Request failed with status code 404" },
      { share: 2, state: "failed", reason: "HANDLER_FAILED: Request failed with status code 429" },
      { share: 2, state: "failed", reason: "HANDLER_FAILED: getaddrinfo ENOTFOUND hooks.partner.example" },
      { share: 2, state: "failed", reason: "HANDLER_FAILED: certificate has expired" },
      { share: 1, state: "failed", reason: "HANDLER_FAILED: socket hang up" },
      {
        share: 1,
        state: "failed",
        reason: "HANDLER_FAILED: Cannot read properties of undefined (reading 'total')",
      },
      {
        share: 1,
        state: "failed",
        reason: 'HANDLER_FAILED: duplicate key value violates unique constraint "calls_order_key"',
      },
      { share: 1, state: "failed", reason: "CANCELLED: cancelled with key ops-day: partner asked for it" },
      { share: 5, state: "delayed" },
    ],
  },
  { sample: "invoiced", queue: "documents", share: 0.1255, lots: [{ share: 1, state: "completed" }] },
  { sample: "noVat", queue: "documents", share: 0.006, lots: [{ share: 1, state: "failed" }] },
  { sample: "report", queue: "documents", share: 0.1, lots: [{ share: 1, state: "completed" }] },
];

/** Copies the jobs until there are enough, over a day, and writes what happened in that day. */
export async function fillStore(client: Redis, prefix: string, cast: Cast, jobs: number): Promise<void> {
  for (const { sample, queue, share, lots } of kinds) {
    const copies = { count: Math.round(jobs * share), lots, spanMs: DAY_MS };
    await addCopies(client, queueKeys(prefix, queue).start, cast.samples[sample], copies);
  }
  await writePast(client, prefix, 30, [
    { queue: "default", type: "order-confirmation", perMinute: 8, runMs: 60, failed: 0.002 },
    { queue: "default", type: "partner-webhook", perMinute: 4, runMs: 200, failed: 0.3 },
    { queue: "documents", type: "invoice-pdf", perMinute: 6, runMs: 400, failed: 0.01 },
  ]);
  for (const queue of ["default", "documents"]) await ageDoubts(client, queueKeys(prefix, queue), HOUR_MS);
  await markNight(client, prefix, cast.pausedMs);
}

/** Somebody paused a queue. Its stream is written anew, since entries cannot be added before others. */
async function markNight(client: Redis, prefix: string, pausedMs: number): Promise<void> {
  const marks = queueKeys(prefix, "default").own("history:marks");
  const present = await client.xrange(marks, "-", "+");
  const own = [
    [`${pausedMs}-0`, ["kind", "paused", "text", "the partner is down", "by", "ops-day (session)"]],
    [`${pausedMs + 1_200_000}-0`, ["kind", "resumed", "text", "", "by", "ops-day (session)"]],
  ] as const;
  const pipeline = client.pipeline().del(marks);
  for (const [id, fields] of [...own, ...present]) pipeline.xadd(marks, id, ...fields);
  await pipeline.exec();
}

import { once } from "node:events";
import {
  defineConfig,
  defineJob,
  defineSchedule,
  InDoubtError,
  PermanentError,
  type Producer,
} from "holdfast";
import { z } from "zod";

const order = z.strictObject({ order: z.int(), email: z.email() });
const inTime = { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } } as const;
const common = { retry: inTime, timeoutMs: 3_600_000 };

const confirmation = defineJob({
  ...common,
  type: "order-confirmation",
  payload: order,
  search: ["/email"],
  result: z.strictObject({ messageId: z.string() }),
  effects: { send: { timeoutMs: 15_000, inDoubt: "hold" } },
});

const invoice = defineJob({
  ...common,
  type: "invoice-pdf",
  queue: "documents",
  payload: z.strictObject({ order: z.int(), customer: z.string() }),
  result: z.strictObject({ pages: z.int(), file: z.string() }),
});

const partnerHook = defineJob({
  ...common,
  type: "partner-webhook",
  payload: z.strictObject({ order: z.int(), url: z.url() }),
  result: z.strictObject({ status: z.int() }),
});

const videoPreview = defineJob({
  ...common,
  type: "video-preview",
  queue: "media",
  payload: z.strictObject({ video: z.string() }),
  result: z.unknown(),
});

const stockSync = defineJob({
  ...common,
  type: "stock-sync",
  payload: z.strictObject({ until: z.iso.datetime() }),
  result: z.strictObject({ articles: z.int() }),
  retry: { ...inTime, attempts: 1 },
});

const nightlyReport = defineJob({
  ...common,
  type: "nightly-report",
  queue: "documents",
  payload: z.strictObject({ night: z.iso.datetime() }),
  result: z.strictObject({ orders: z.int() }),
});

const schedules = [
  defineSchedule({
    name: "stock-sync",
    everyMs: 15 * 60_000,
    job: stockSync,
    payload: ({ at }) => ({ until: at.toISOString() }),
  }),
  defineSchedule({
    name: "nightly-report",
    cron: "30 2 * * *",
    timeZone: "America/New_York",
    job: nightlyReport,
    payload: ({ at }) => ({ night: at.toISOString() }),
    catchUp: { mode: "latest" },
  }),
];

/** A schedule whose latest ticks reach over years. */
export const monthlyStatements = defineSchedule({
  name: "monthly-statements",
  cron: "0 6 1 * *",
  timeZone: "Europe/Berlin",
  job: nightlyReport,
  payload: ({ at }) => ({ night: at.toISOString() }),
});

/** The changing world outside of the jobs. */
export interface World {
  /** Whether the partner's receiver is out of order. */
  isPartnerDown: boolean;
}

/** A web shop whose jobs fail and are in doubt, as in real life. */
export function shopIn(
  world: World,
  more: readonly (typeof monthlyStatements)[] = [],
  notices: Parameters<typeof defineConfig>[0]["notices"] = undefined,
) {
  return defineConfig({
    ...(notices !== undefined && { notices }),
    jobs: [confirmation, invoice, partnerHook, videoPreview, stockSync, nightlyReport],
    schedules: [...schedules, ...more],
    handlers: async () => [
      confirmation.handler(async ({ payload, effect, log }) => {
        log.info("composed", { order: payload.order });
        const messageId = await effect("send", async ({ key }) => {
          if (payload.order % 90 === 0)
            throw new InDoubtError("the mail server hung up after it had accepted the message");
          return `<order-confirmation.${key}@shop.example>`;
        });
        return { messageId: messageId ?? "unknown" };
      }),
      invoice.handler(async ({ payload: { order, customer }, progress }) => {
        await progress({ page: 1 });
        if (order % 40 === 0) throw new PermanentError(`customer ${customer} has no VAT number`);
        return { pages: 1 + (order % 3), file: `invoices/2026/${order}.pdf` };
      }),
      partnerHook.handler(async () => {
        if (world.isPartnerDown) throw new Error("the receiver answered 503 Service Unavailable");
        return { status: 204 };
      }),
      videoPreview.handler(async ({ signal, progress, log }) => {
        log.info("decoding with 4 threads");
        await progress({ frame: 1_380, of: 4_200 });
        await once(signal, "abort");
        throw signal.reason;
      }),
      stockSync.handler(async ({ payload }) => {
        if (Date.parse(payload.until) % 5_400_000 === 0)
          throw new Error("the warehouse did not answer in 10 s");
        return { articles: 1_204 };
      }),
      nightlyReport.handler(async () => ({ orders: 412 })),
    ],
  });
}

/** Jobs of each kind. */
export interface Trade {
  readonly confirmations: number;
  readonly invoices: number;
  readonly hooks: number;
  readonly videos: number;
}

/** Submits the jobs of a busy day. */
export async function trade(
  producer: Producer,
  { confirmations, invoices, hooks, videos }: Trade,
): Promise<void> {
  await Promise.all([
    producer.submitMany(
      videoPreview,
      counted(videos, (video) => ({
        idempotencyKey: `upload-${7_000 + video}`,
        payload: { video: `upload-${7_000 + video}.mp4` },
        ...(video % 4 === 3 && { priority: 5 }),
      })),
    ),
    producer.submitMany(
      confirmation,
      counted(confirmations, (index) => confirmationOf(41_000 + index)),
    ),
    producer.submitMany(
      invoice,
      counted(invoices, (index) => ({
        idempotencyKey: `invoice-2026-${1_000 + index}`,
        payload: { order: 41_000 + index, customer: `C-${200 + (index % 70)}` },
      })),
    ),
    producer.submitMany(
      partnerHook,
      counted(hooks, (index) => ({
        idempotencyKey: `shipped-${41_000 + index}`,
        payload: { order: 41_000 + index, url: "https://partner.example/hooks/shipped" },
      })),
    ),
  ]);
}

/** One more order, with a new key by default. */
export function placeOrder(producer: Producer, order: number, delayMs = 0, key = `order-${order}`) {
  return producer.submit(confirmation, confirmationOf(order).payload, { idempotencyKey: key, delayMs });
}

/** A report that waits for its invoices, one of which fails. */
export function reportWithInvoices(producer: Producer) {
  return producer.submitFlow({
    parent: {
      job: nightlyReport,
      payload: { night: new Date().toISOString() },
      idempotencyKey: "report-by-hand",
    },
    children: [41_001, 41_040, 41_041].map((order) => ({
      job: invoice,
      payload: { order, customer: `C-${order}` },
    })),
  });
}

function confirmationOf(order: number) {
  return {
    idempotencyKey: `order-${order}`,
    payload: { order, email: `customer-${order % 900}@example.com` },
  };
}

function counted<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

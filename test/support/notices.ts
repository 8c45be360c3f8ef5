import { defineConfig, defineJob, type Notices } from "holdfast";
import { z } from "zod";
import { SECRET, startReceiver } from "./receivers.ts";
import { createService, type Variables } from "./service.ts";
import { until } from "./until.ts";

/** Fails, or leaves a doubt. */
export const charge = defineJob({
  type: "charge",
  payload: z.object({ fails: z.boolean() }),
  result: z.null(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
  effects: { charge: { timeoutMs: 20_000, inDoubt: "hold" } },
});

const handler = charge.handler(async ({ payload, effect }) => {
  if (payload.fails) throw new Error("declined");
  await effect("charge", async () => {
    throw new Error("the answer was lost");
  });
  return null;
});

export function applicationWith(notices: Notices) {
  return defineConfig({ jobs: [charge], handlers: async () => [handler], notices });
}

/** Buckets so short that a test sees several. */
const bucketMs = 3_000;

/**
 * A service whose notices go to a receiver of the test.
 *
 * @param variables beside the receiver's own
 */
export async function start({
  notices = {},
  variables = {},
}: {
  notices?: Partial<Notices>;
  variables?: Variables;
} = {}) {
  const receiver = await startReceiver();
  const onCall = { name: "on-call", webhook: "ON_CALL_URL", secret: "ON_CALL_SECRET" };
  const application = applicationWith({ receivers: [onCall], bucketMs, ...notices });
  const own = { ON_CALL_URL: receiver.url, ON_CALL_SECRET: SECRET };
  const service = createService(application, { ...own, ...variables });
  return { receiver, service };
}

export function untilTold(receiver: Awaited<ReturnType<typeof startReceiver>>, type: string) {
  return until(`${type} is told`, () => receiver.received.find((notice) => notice.type === type));
}

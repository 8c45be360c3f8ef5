import { setTimeout as wait } from "node:timers/promises";
import { SnoozeError } from "holdfast";
import { describe, expect, it } from "vitest";
import { patiently } from "../../../lab/faults/lib/inside/patiently.ts";
import { anyJob } from "../../support/application.ts";
import { withProcesses } from "../../support/processes.ts";
import { applicationOf, createService, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const MANY = 200;
const reason = "a bad deploy";

const restless = anyJob({
  type: "restless",
  retry: { attempts: 100, backoff: { kind: "fixed", delayMs: 5 } },
});

/** Jobs that go from state to state as fast as a worker can, and their operator. */
async function restlessJobs(handler: Parameters<typeof restless.handler>[0], variables: Variables = {}) {
  const service = createService(applicationOf(restless.handler(handler)), {
    HOLDFAST_CONCURRENCY: "20",
    ...variables,
  });
  const producer = await service.createProducer();
  const operator = await service.createOperator();
  const many = Array.from({ length: MANY }, (_, at) => ({ payload: at, idempotencyKey: `r-${at}` }));
  const receipts = await patiently(() => producer.submitMany(restless, many));
  const ids = receipts.map((receipt) => ("id" in receipt ? receipt.id : ""));
  await service.startWorker();
  return { service, producer, operator, ids };
}

async function cancelAll({ operator }: Pick<Awaited<ReturnType<typeof restlessJobs>>, "operator">) {
  const request = { act: "cancel", filter: {}, all: true, reason } as const;
  // The worker of this process leaves a busy machine little time for the operator's answers.
  const { id } = await patiently(() => operator.acts.start(request, "test", "once"));
  return await until(`act ${id} has ended`, async () => {
    const act = await patiently(() => operator.acts.read(id));
    return act.endedAt !== null && act;
  });
}

async function endsOf({ producer, ids }: Pick<Awaited<ReturnType<typeof restlessJobs>>, "producer" | "ids">) {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const status = await patiently(() => producer.status(id));
    const end = `${status?.state} ${status?.error?.code}`;
    counts[end] = (counts[end] ?? 0) + 1;
  }
  return counts;
}

describe("an act that cancels all jobs", withProcesses, () => {
  const kinds = {
    "fail and are retried": async () => Promise.reject(new Error("again")),
    "are snoozed": async () => Promise.reject(new SnoozeError(1)),
    "fail after a while": async () => {
      // The fault's own rhythm: the act meets some of them in the middle of an attempt.
      await wait(3);
      throw new Error("again");
    },
  };
  for (const [what, handler] of Object.entries(kinds))
    it(`leaves none of those that ${what}`, async () => {
      const runs = new Set<string>();
      const jobs = await restlessJobs(async ({ jobId }) => {
        runs.add(jobId);
        return await handler();
      });
      await until("all have run", () => runs.size === MANY);
      const act = await cancelAll(jobs);
      expect(act).toMatchObject({ state: "done", done: MANY, skipped: 0, remaining: 0 });
      // Running ones are cancelled, but may have an instant left.
      await until("all have ended", async () => {
        const ends = await endsOf(jobs);
        return ends["failed CANCELLED"] === MANY;
      });
    });
});

import { describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { addFailedCopies } from "../../support/job-copies.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** One call reads at most 50,000. */
const MANY = 60_000;

const order = anyJob({ type: "order", retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } } });

/** Nobody has stock at first. */
function shop() {
  const stocked = new Set<string>();
  const handler = order.handler(async ({ payload }) => {
    if (!stocked.has(String(payload))) throw new Error(`no ${payload} in stock`);
  });
  return { stocked, application: applicationOf(handler) };
}

describe("a retry of many jobs", () => {
  it("says what has become of each, and lists them, to retry those again that failed again", async () => {
    const { stocked, application } = shop();
    const service = createService(application);
    const [producer, operator, { url }] = await Promise.all([
      service.createProducer(),
      service.createOperator(),
      service.startApi(),
    ]);
    const worker = await service.startWorker();
    const submit = async (payload: string, key: string) =>
      (await producer.submit(order, payload, { idempotencyKey: key })).id;
    const ids = [
      ...(await Promise.all(["1", "2", "3"].map((key) => submit("tea", key)))),
      ...(await Promise.all(["4", "5"].map((key) => submit("rum", key)))),
      await submit("gin", "6"),
    ];
    const states = async () =>
      (await Promise.all(ids.map((id) => operator.detail(id)))).map((job) => job?.state);
    const retry = async (filter: object) => {
      const { id } = await operator.acts.start({ act: "retry", filter, reason: "there is tea" }, "ann");
      await until("the act has ended", async () => (await operator.acts.read(id)).endedAt !== null);
      return id;
    };
    await until("all have failed", async () => (await states()).every((state) => state === "failed"));
    stocked.add("tea");

    const id = await retry({ type: "order" });
    await until("all have ended", async () =>
      (await states()).every((state) => state === "completed" || state === "failed"),
    );
    await operator.delete(ids[5] ?? "", "ann");
    const others = await submit("tea", "not the act's");
    await until("it is done", async () => (await operator.detail(others))?.state === "completed");

    const now = { completed: 3, failed: 2, cancelled: 0, inDoubt: 0, unfinished: 0, gone: 1, isExact: true };
    expect(await operator.acts.read(id)).toMatchObject({ done: 6, now });
    expect((await get(`${url}/jobs/acts/${id}`)).body).toMatchObject({ now });
    const { jobs } = await operator.list({ act: id, state: "failed", limit: 50 });
    expect(jobs.map((job) => job.id).sort()).toEqual(ids.slice(3, 5).sort());

    stocked.add("rum");
    const again = await retry({ act: id, state: "failed" });
    await until("they complete", async () => (await operator.acts.read(again)).now?.completed === 2);
    expect((await operator.acts.read(id)).now).toEqual({ ...now, completed: 5, failed: 0 });
    await worker.stop();
  });

  it("says at least for an act of more jobs than one call reads", async () => {
    const { application } = shop();
    const service = createService(application);
    const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
    const worker = await service.startWorker();
    const { id } = await producer.submit(order, "gin", { idempotencyKey: "first" });
    await until("it has failed", async () => (await operator.detail(id))?.state === "failed");
    const act = await operator.acts.start({ act: "retry", filter: { type: "order" }, reason: "gin" }, "ann");
    await until("the act has ended", async () => (await operator.acts.read(act.id)).endedAt !== null);
    await until("it has failed again", async () => (await operator.detail(id))?.state === "failed");
    await worker.stop();
    const redis = service.connect();
    const { start } = queueKeys(service.env.HOLDFAST_PREFIX, "default");
    await addFailedCopies(redis, start, id, { count: MANY, every: 4, reason: "CANCELLED: not wanted" });
    const [index = ""] = await redis.keys(`*retried:${act.id}`);
    await redis.zunionstore(index, 2, index, `${start}failed`);

    const now = await until("it is counted", async () => (await operator.acts.read(act.id)).now);
    expect(now).toMatchObject({ isExact: false, gone: 0, unfinished: 0, completed: 0, inDoubt: 0 });
    expect(now.cancelled).toBeLessThanOrEqual(MANY / 4);
    expect(now.failed).toBeLessThanOrEqual(MANY - MANY / 4 + 1);
    expect(now.failed + now.cancelled).toBeGreaterThan(0);
  });
});

import { describe, expect, it } from "vitest";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

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
});

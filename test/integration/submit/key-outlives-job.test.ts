import { describe, expect, it } from "vitest";
import { application, echo } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("a key whose job was removed by retention", () => {
  it.each(["0", "1"])(
    "still gives the first job's id, and no new job, where %s are kept",
    async (keepCompleted) => {
      const service = createService(application, { HOLDFAST_KEEP_COMPLETED: keepCompleted });
      const { url } = await service.startApi();
      await service.startWorker();
      const submit = (idempotencyKey: string, payload: unknown) =>
        post(`${url}/jobs`, { type: "echo", payload, idempotencyKey });
      const isGone = async (id: string) => (await get(`${url}/jobs/${id}/status`)).status === 404;
      const first = await submit("k", { n: 1 });
      const later = await submit("later", { n: 1 });
      const { id } = first.body;
      await until("the first job is gone", () => isGone(id));
      await until("the later job has ended", async () => {
        const { status, body } = await get(`${url}/jobs/${later.body.id}/status`);
        return status === 404 || body.state === "completed";
      });
      const counts = await service.openBareQueue().getJobCounts();

      const again = await submit("k", { n: 1 });
      const reused = await submit("k", { n: 2 });

      expect(again).toMatchObject({ status: 200, body: { id, duplicate: true } });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(reused).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_KEY_REUSED" } });
      expect(await isGone(id)).toBe(true);
      expect(await service.openBareQueue().getJobCounts()).toEqual(counts);
    },
  );
});

describe("the time that a key is remembered", () => {
  it("ends after the retention, and then the key makes a new job", async () => {
    const service = createService(application, { HOLDFAST_RETENTION_MS: "1000" });
    const producer = await service.createProducer();
    const submit = () => producer.submit(echo, 1, { idempotencyKey: "k" });
    const first = await submit();

    const second = await until("the key is forgotten", async () => {
      const receipt = await submit();
      return receipt.id !== first.id && receipt;
    });

    expect(second.duplicate).toBe(false);
  });

  it("begins when the job may run, so a long delay does not use it up", async () => {
    const service = createService(application, { HOLDFAST_RETENTION_MS: "1000" });
    const producer = await service.createProducer();
    await service.startWorker();
    const submit = () => producer.submit(echo, 1, { idempotencyKey: "k", delayMs: 1_200 });
    const first = await submit();

    await untilState(producer, first.id, "completed");

    expect(await submit()).toEqual({ ...first, duplicate: true });
  });
});

import { defineJob, type JobHandler } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { get, post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const common = {
  type: "charging",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 1_500 } },
  timeoutMs: 10_000,
} as const;
const charging = defineJob({ ...common, effects: { charge: { timeoutMs: 5_000, inDoubt: "probe" } } });
const pure = defineJob(common);

/** The probe never knows: the next attempt is to look again. */
const before = charging.handler(({ effect }) =>
  effect("charge", () => Promise.reject(Object.assign(new Error("hang up"), { code: "ECONNRESET" })), {
    probe: async () => "unknown",
  }),
);

/** A job whose first attempt left its only effect in doubt, and whose type now has this handler. */
async function deploy(after: JobHandler) {
  const old = createService(applicationOf(before));
  const producer = await old.createProducer();
  const worker = await old.startWorker();
  const { id } = await producer.submit(charging, null, { idempotencyKey: "k" });
  await old.startApi();
  await until("its effect is in doubt, and its first attempt over", async () => {
    const status = await producer.status(id);
    return status?.effects[0]?.state === "in-doubt" && status.attemptsMade === 1;
  });
  await worker.stop();
  const updated = createService(applicationOf(after), { HOLDFAST_PREFIX: old.env.HOLDFAST_PREFIX });
  const { url } = await updated.startApi();
  await updated.startWorker();
  return { producer, id, url };
}

describe("a job whose last effect a deploy has removed between two attempts", () => {
  it("does not complete with that effect in doubt: it is listed, and the job goes on once it is resolved", async () => {
    const { producer, id, url } = await deploy(pure.handler(async () => "without it"));

    const status = await untilState(producer, id, "completed", "failed");
    expect(status).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
    expect((await get(`${url}/doubts`)).body.doubts).toMatchObject([{ jobId: id, effect: "charge" }]);

    const resolution = { as: "done", evidence: "seen at the provider" };
    expect(await post(`${url}/jobs/${id}/effects/charge/resolve`, resolution)).toMatchObject({
      status: 200,
      body: { job: "retried" },
    });
    expect(await untilState(producer, id, "completed")).toMatchObject({ result: "without it" });
  });

  it("says in doubt, and not only failed, if the new handler fails for good", async () => {
    const failing = pure.handler(async () => {
      throw new Error("no");
    });
    const { producer, id } = await deploy(failing);

    expect((await untilState(producer, id, "failed")).error).toMatchObject({ code: "EFFECT_IN_DOUBT" });
  });
});

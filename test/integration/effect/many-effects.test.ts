import { expect, it } from "vitest";
import { patiently } from "../../../lab/faults/lib/inside/patiently.ts";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { application, echo } from "../../support/application.ts";
import { createService } from "../../support/service.ts";

const JOBS = 24;
const EFFECTS = 5_000;
const at = Date.now();

/** Jobs with thousands of effects each, the last of which is in doubt. */
async function jobsWithEffects() {
  const service = createService(application);
  const producer = await service.createProducer();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  const redis = service.connect();
  const entries = Array.from({ length: EFFECTS }, (_, index) => {
    const state = index === EFFECTS - 1 ? "in-doubt" : "done";
    return [`e:charge/${index}`, JSON.stringify({ state, reservationId: "r", at: at + index })];
  });
  for (let job = 0; job < JOBS; job += 1) {
    const { id } = await producer.submit(echo, job, { idempotencyKey: `job-${job}` });
    const dedupKey = dedupKeyOf(echo.type, `job-${job}`);
    await redis.hset(keys.job(id), "dedupKey", dedupKey);
    await redis.hset(keys.ledger(dedupKey), Object.fromEntries([...entries, ["open", "1"]]));
  }
  return service;
}

it("lists 20 effects of a job with thousands, first those in doubt, and how many are in each state", async () => {
  const service = await jobsWithEffects();
  const operator = await service.createOperator();
  // 120,000 effects: on a busy machine Redis takes longer for them than it has for an answer.
  const { jobs } = await patiently(() => operator.list({ state: "waiting", limit: 50 }));
  expect(jobs).toHaveLength(JOBS);
  expect(JSON.stringify(jobs).length).toBeLessThan(100_000);
  for (const { effects, effectCounts } of jobs) {
    expect(effects).toHaveLength(20);
    expect(effects).toContainEqual(
      expect.objectContaining({ name: `charge/${EFFECTS - 1}`, state: "in-doubt" }),
    );
    expect(effectCounts).toEqual({ reserved: 0, done: EFFECTS - 1, "in-doubt": 1 });
  }

  const producer = await service.createProducer();
  const status = await patiently(() => producer.status(jobs[0]?.id ?? ""));
  expect(status?.effects).toHaveLength(EFFECTS);
  expect(status?.effectCounts).toBeUndefined();
});

import { describe, expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { latch } from "../../support/latch.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const lockMs = 1_000;
const job = anyJob({ timeoutMs: 60_000 });

/** A job whose attempts end when the test says so, whatever their signal says. */
async function withAttempts(variables = {}) {
  const ends = Array.from({ length: 8 }, latch);
  let hasBlocked = false;
  let begun = 0;
  const handler = job.handler(async ({ payload }) => {
    if (payload === "block") {
      const isFirst = !hasBlocked;
      hasBlocked = true;
      return isFirst ? block(2.5 * lockMs) : "blocked before";
    }
    const attempt = begun++;
    await ends[attempt]?.opened;
    return attempt;
  });
  const service = createService(applicationOf(handler), {
    HOLDFAST_LOCK_MS: String(lockMs),
    HOLDFAST_CONCURRENCY: "4",
    HOLDFAST_STOP_GRACE_MS: "100",
    ...variables,
  });
  const producer = await service.createProducer();
  const store = service.connect();
  const key = (name: string) => queueKey(service.env.HOLDFAST_PREFIX, "default", name);
  return {
    producer,
    store,
    key,
    ends,
    startWorker: service.startWorker,
    get begun() {
      return begun;
    },
    crashes: async (id: string) => Number(await store.hget(key(id), "stc")),
  };
}

/** What finding a stalled job does with it. */
const giveBack = `
  redis.call("DEL", KEYS[1] .. ":lock")
  redis.call("LREM", KEYS[2], 1, ARGV[1])
  redis.call("HINCRBY", KEYS[1], "stc", 1)
  redis.call("RPUSH", KEYS[3], ARGV[1])
  redis.call("ZADD", KEYS[4], 0, "0")`;

function block(ms: number): string {
  const until = performance.now() + ms;
  while (performance.now() < until);
  return "blocked";
}

describe("a job that a worker claims again while its older attempt is still ending there", () => {
  it("keeps its lock while it runs", async () => {
    const test = await withAttempts();
    const { producer, store, key, ends } = test;
    await test.startWorker();
    const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "active");

    await store.eval(giveBack, 4, key(id), key("active"), key("wait"), key("marker"), id);
    await until("it runs again", () => test.begun === 2);
    ends[0]?.open();
    const renewed = await until("its lock was renewed again and again", async () => {
      const left = await store.pttl(key(`${id}:lock`));
      const runsFor = Date.now() - Number(await store.hget(key(id), "processedOn"));
      return runsFor > 3 * lockMs && { left };
    });
    ends[1]?.open();

    expect(renewed.left).toBeGreaterThan(0);
    expect(await untilState(producer, id, "completed")).toMatchObject({ result: 1, attemptsMade: 1 });
    expect(await test.crashes(id)).toBe(1);
  });

  it("counts one crash for one stall of the process, whatever ran beside it", async () => {
    const test = await withAttempts({ HOLDFAST_CONCURRENCY: "8" });
    const { producer, ends } = test;
    await test.startWorker();
    const neighbours = await Promise.all(
      [1, 2, 3].map((payload) => producer.submit(job, payload, { idempotencyKey: `${payload}` })),
    );
    await until("all of them run", () => test.begun === 3);

    const blocker = await producer.submit(job, "block", { idempotencyKey: "block" });
    // A read that is under way when the loop is blocked times out.
    const stateOf = (id: string) => producer.status(id).catch(() => undefined);
    await until("the blocker has run", async () => (await stateOf(blocker.id))?.state === "completed");
    await until("all of them run again", () => test.begun >= 6);
    const [since, crashes] = [
      performance.now(),
      () => Promise.all(neighbours.map(({ id }) => test.crashes(id))),
    ];
    await until("several lock times have passed", () => performance.now() - since > 3 * lockMs);
    for (const end of ends) end.open();

    for (const { id } of neighbours) await untilState(producer, id, "completed");
    expect(await crashes()).toEqual([1, 1, 1]);
  });
});

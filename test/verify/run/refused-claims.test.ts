import { startWorker } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { connectQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { INTERNAL_QUEUE } from "../../../src/core/job/internal-queue.ts";
import { openReadiness } from "../../../src/desk/readiness.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { type LoggedLine, recordingLog } from "../../../src/testing/run-handler.ts";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const job = anyJob();
const application = applicationOf(job.handler(async () => null));
/** A refused claim also tries to wake another worker. */
const REFUSALS = 60;

/** A service on a Redis of its own. */
async function serviceOnOwnStore() {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  return createService(application, { REDIS_URL: server.url, HOLDFAST_DURABILITY: "memory" });
}

/** A service on a Redis that can be made to refuse all writes. */
async function refusableService() {
  const service = await serviceOnOwnStore();
  const store = service.connect();
  const wantReplicas = (count: number) => store.config("SET", "min-replicas-to-write", count);
  onTestFinished(async () => void (await wantReplicas(0)));
  return {
    ...service,
    refuseWrites: () => wantReplicas(1),
    acceptWrites: () => wantReplicas(0),
    async refusals() {
      const [, count = 0] = /errorstat_NOREPLICAS:count=(\d+)/.exec(await store.info("errorstats")) ?? [];
      return Number(count);
    },
  };
}

describe.concurrent("a worker whose Redis refuses claims", () => {
  it.each(["are waiting", "are not waiting"])(
    "asks with a pause, and says so once: jobs %s",
    async (jobs) => {
      const lines: LoggedLine[] = [];
      const texts = () =>
        lines
          .filter(({ level, fields }) => level !== "debug" && fields.queue !== INTERNAL_QUEUE)
          .map(({ message }) => message);
      const { env, createProducer, startApi, ...redis } = await refusableService();
      const producer = await createProducer();
      const { url } = await startApi();
      const submit = (key: string) => producer.submit(job, null, { idempotencyKey: key });
      const first = jobs === "are waiting" ? await submit("first") : undefined;

      const before = await redis.refusals();
      await redis.refuseWrites();
      const refusedAt = performance.now();
      const worker = await startWorker(application, env, { logger: recordingLog(lines) });
      onTestFinished(() => worker.stop());
      await until("claims were refused", async () => (await redis.refusals()) >= before + REFUSALS);
      expect(performance.now() - refusedAt).toBeGreaterThan(1_000);
      expect(texts()).toContain("Redis refuses to hand out jobs; asking until it does");
      const { status, body } = await get(`${url}/health/ready`);
      expect(status).toBe(503);
      expect(body.reasons).toEqual([
        expect.stringMatching(/^writes: found refused: .*min-replicas-to-write/),
      ]);

      await redis.acceptWrites();
      const acceptedAt = performance.now();
      const { id } = first ?? (await submit("first"));
      await untilState(producer, id, "completed");
      expect(performance.now() - acceptedAt).toBeLessThan(5_000);
      await until("the log says so", () => texts().includes("Redis hands out jobs again"));
      expect(texts()).toEqual([...new Set(texts())]);
    },
  );
});

describe.concurrent("a worker whose Redis became a read-only replica", () => {
  it("does not reconnect in a loop, says so now and then, and goes on when Redis is a master again", async () => {
    const lines: LoggedLine[] = [];
    const service = await serviceOnOwnStore();
    const store = service.connect();
    const becomeMaster = () => store.call("REPLICAOF", "NO", "ONE");
    onTestFinished(async () => void (await becomeMaster()));
    const producer = await service.createProducer();
    const worker = await startWorker(application, service.env, { logger: recordingLog(lines) });
    onTestFinished(() => worker.stop());
    const connections = async () =>
      Number(/total_connections_received:(\d+)/.exec(await store.info("stats"))?.[1] ?? 0);
    const before = await connections();
    const changedAt = performance.now();

    await store.call("REPLICAOF", "127.0.0.1", "1");
    await until("three seconds have passed", () => performance.now() - changedAt > 3_000);
    expect((await connections()) - before).toBeLessThan(20);
    expect(lines.filter(({ level }) => level !== "debug").length).toBeLessThan(20);

    await becomeMaster();
    const { id } = await until("a job is accepted", () =>
      producer.submit(job, null, { idempotencyKey: "again" }).catch(() => undefined),
    );
    await untilState(producer, id, "completed");
  });
});

describe.concurrent("the readiness of a worker", () => {
  it("says that Redis takes no writes, and why", async () => {
    const { env, refuseWrites } = await refusableService();
    const settings = readSettings(env);
    const queues = await connectQueues(application, settings, [], "retrying");
    onTestFinished(queues.stop);
    const read = openReadiness(queues, application.queues, settings);
    expect(await read()).toEqual([]);

    await refuseWrites();

    expect(await read()).toEqual([
      expect.stringMatching(/^Redis takes no writes: .*min-replicas-to-write.* Remedy: connect /),
    ]);
  });
});

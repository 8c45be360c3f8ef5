import { defineConfig } from "holdfast";
import { expect, it, onTestFinished } from "vitest";
import { anyJob, application } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { keyEntry } from "../../support/keys.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** What Node.js warns of from now on, such as too many listeners. */
function watchWarnings(): readonly string[] {
  const warnings: string[] = [];
  const note = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  return warnings;
}

it("processes of an application with twelve queues print no warning", async () => {
  const warnings = watchWarnings();
  const jobs = Array.from({ length: 12 }, (_, at) => anyJob({ type: `type-${at}`, queue: `queue-${at}` }));
  const service = createService(
    defineConfig({ jobs, handlers: async () => jobs.map((job) => job.handler(async () => null)) }),
  );
  const producer = await service.createProducer();
  await Promise.all([service.startApi(), service.startWorker()]);

  for (const job of jobs) {
    const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
    await untilState(producer, id, "completed");
  }

  expect(warnings).toEqual([]);
});

it("an API with keys prints no warning when it connects again", async () => {
  const warnings = watchWarnings();
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const { url } = await createService(application, {
    REDIS_URL: server.url,
    HOLDFAST_API_KEYS: keyEntry("shop", "submit+read", "secret"),
  }).startApi();
  const isReady = async () => (await get(`${url}/health/ready`)).status === 200;
  await server.kill();
  await until("Redis is missed", async () => !(await isReady()));
  await server.restart();
  await until("the API is ready", isReady);

  expect(warnings).toEqual([]);
});

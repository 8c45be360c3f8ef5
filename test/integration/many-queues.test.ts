import { defineConfig } from "holdfast";
import { expect, it, onTestFinished } from "vitest";
import { anyJob } from "../support/application.ts";
import { createService, untilState } from "../support/service.ts";

it("processes of an application with twelve queues print no warning", async () => {
  const warnings: string[] = [];
  const note = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
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

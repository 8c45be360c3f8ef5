import { describe, expect, it } from "vitest";
import { application, echo } from "../../support/application.ts";
import { startFreezingProxy } from "../../support/freezing-proxy.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("a worker whose connection for new jobs hangs", withProcesses, () => {
  it("notices that jobs wait, reports it, and exits with 1; another one runs them", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const proxy = await startFreezingProxy(service.env.REDIS_URL);
    const worker = await launchRole("worker", {
      ...service.env,
      REDIS_URL: proxy.url,
      // Longer than BullMQ needs to notice that its blocking command hangs, and to try another connection.
      HOLDFAST_STUCK_AFTER_MS: "9000",
    });
    const heard = await producer.submit(echo, "heard", { idempotencyKey: "heard" });
    await untilState(producer, heard.id, "completed");

    // A worker waits for Holdfast's own jobs, too.
    proxy.freeze("bzpopmin", "{default}:marker");
    await until("the worker waits on the hanging connection", () => proxy.frozen > 0);
    const unheard = await producer.submit(echo, "unheard", { idempotencyKey: "unheard" });

    const { code, stderr } = await worker.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/"level":60.*"code":"WORKER_STUCK"/);
    await service.startWorker();
    await untilState(producer, unheard.id, "completed");
  });
});

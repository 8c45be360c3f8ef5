import { describe, expect, it } from "vitest";
import type { Overview } from "../../../src/desk/overview/overview.ts";
import { application, echo } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { scrape } from "../../support/metrics.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const STUCK_AFTER_MS = 1_000;
const WAITING = 1_500;

/** A queue with a worker, limited by hand before its jobs come. */
async function limitedQueue(limits: object) {
  const service = createService(application, { HOLDFAST_STUCK_AFTER_MS: String(STUCK_AFTER_MS) });
  const operator = await service.createOperator();
  await operator.queues.limit("default", limits, "ann");
  await service.startWorker();
  const { url } = await service.startApi();
  const overview = async () => (await get(`${url}/overview`)).body as unknown as Overview;
  const untilLate = () =>
    until("a job has waited for long", async () => {
      const { at, queues } = await overview();
      const since = queues.find(({ name }) => name === "default")?.oldestWaitingSince;
      return since != null && Date.parse(at) - Date.parse(since) > 3 * STUCK_AFTER_MS;
    });
  return { service, url, overview, untilLate };
}

describe("a queue that is limited to one job an hour, with 1,500 waiting", withProcesses, () => {
  it("says so, and its worker is not called stuck by overview, doctor and metrics", async () => {
    const { service, url, overview, untilLate } = await limitedQueue({
      rate: { count: 1, perMs: 3_600_000 },
    });
    const jobs = Array.from({ length: WAITING + 1 }, (_, at) => ({ payload: at, idempotencyKey: `k${at}` }));
    const producer = await service.createProducer();
    await producer.submitMany(echo, jobs);
    await untilLate();

    const { workers, queues, problems } = await overview();
    const [doctor, listed] = await Promise.all([
      run(["doctor", "--json"], service.env),
      run(["overview"], service.env),
    ]);

    expect(workers.map(({ isStuck }) => isStuck)).toEqual([false]);
    expect(problems).toEqual([]);
    expect(queues).toMatchObject([
      {
        waiting: WAITING,
        workers: 1,
        limits: { rate: "1/1h", concurrency: null },
        limitedBy: "ann",
        clearsInMs: WAITING * 3_600_000,
      },
    ]);
    expect(doctor.stdout).not.toContain("restart it");
    expect(doctor.stdout).toMatch(
      /"limit of default".*limited to 1\/1h by ann, 1500 jobs waiting; the last starts in 62 d/,
    );
    expect(listed.stdout).toMatch(/limited to 1\/1h: the last starts in 62 d 12 h/);
    expect((await scrape(`${url}/metrics`)).value("holdfast_queue_at_limit", { queue: "default" })).toBe(1);
  });
});

describe("a queue without a worker", withProcesses, () => {
  it("is one without a worker in the overview, also while nothing waits", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const { queues } = (await get(`${url}/overview`)).body as unknown as Overview;

    const listed = await run(["overview"], service.env);

    expect(queues).toMatchObject([{ name: "default", workers: 0, clearsInMs: null }]);
    expect(listed.stdout).toMatch(/^default .*no worker$/m);
  });
});

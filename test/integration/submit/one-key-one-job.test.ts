import { HoldfastError, type SubmitResult } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { application, echo } from "../../support/application.ts";
import { type Answer, post } from "../../support/http.ts";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, type Service } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const key = "the-only-key";
const each = 50;

/** Two CLI processes that are connected and wait for lines, so they take part in the race from its start. */
async function launchTwoSubmitters(service: Service) {
  const store = service.connect();
  const connections = async () => Number(/connected_clients:(\d+)/.exec(await store.info("clients"))?.[1]);
  const before = await connections();
  const submitters = [1, 2].map(() => launch(["submit", "--from", "-", "--json"], service.env));
  await until("both submitters are connected", async () => (await connections()) >= before + 2, START_MS);
  return submitters;
}

/** Sends every payload `each` times with one key, in every possible way, at once. */
async function race(payloads: readonly unknown[]) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const service = createService(application, { REDIS_URL: server.url });
  const [api, producer] = [await service.startApi(), await service.createProducer()];
  const submitters = await launchTwoSubmitters(service);
  const all = Array.from({ length: each }, (_, index) => payloads[index % payloads.length]);
  const lines = all.map((payload) => `${JSON.stringify({ type: "echo", payload, idempotencyKey: key })}\n`);

  for (const { stdin } of submitters) stdin.end(lines.join(""));
  const [answers, results] = await Promise.all([
    Promise.all(
      all.map((payload) => post(`${api.url}/jobs`, { type: "echo", payload, idempotencyKey: key })),
    ),
    producer.submitMany(
      echo,
      all.map((payload) => ({ payload, idempotencyKey: key })),
    ),
  ]);
  const ended = await Promise.all(submitters.map((submitter) => submitter.ended));
  return { all, answers, results, ended, queue: service.openBareQueue() };
}

type Race = Awaited<ReturnType<typeof race>>;

/** The outcomes of all submissions. */
function tally({ answers, results, ended }: Race) {
  const counts = { accepted: 0, duplicate: 0, refused: 0 };
  for (const outcome of [...answers.map(outcomeOfAnswer), ...results.map(outcomeOfResult)])
    counts[outcome] += 1;
  for (const { stdout } of ended) {
    const printed = JSON.parse(stdout) as typeof counts;
    for (const outcome of ["accepted", "duplicate", "refused"] as const) counts[outcome] += printed[outcome];
  }
  return counts;
}

function outcomeOfAnswer({ status }: Answer) {
  expect([200, 202, 422]).toContain(status);
  if (status === 422) return "refused";
  return status === 200 ? "duplicate" : "accepted";
}

function outcomeOfResult(result: SubmitResult) {
  if (result instanceof HoldfastError) {
    expect(result.code).toBe("IDEMPOTENCY_KEY_REUSED");
    return "refused";
  }
  return result.duplicate ? "duplicate" : "accepted";
}

function idsOf({ answers, results }: Race): Set<string> {
  const ids = [
    ...answers.map(({ body }) => body.id),
    ...results.map((result) => "id" in result && result.id),
  ];
  return new Set(ids.filter((id) => typeof id === "string"));
}

describe("200 submissions of one key at once, over API, command line and library", withProcesses, () => {
  it("make one job with one id", async () => {
    const raced = await race([{ n: 1 }]);

    expect(tally(raced)).toEqual({ accepted: 1, duplicate: 199, refused: 0 });
    const [id = "", ...others] = idsOf(raced);
    expect(others).toEqual([]);
    expect(await raced.queue.getJobCounts()).toMatchObject({
      waiting: 1,
      active: 0,
      completed: 0,
      delayed: 0,
    });
    expect(await raced.queue.getJob(id)).toMatchObject({ data: { key, payload: { n: 1 } } });
  });

  it("with two contents accept one content, and refuse the other", async () => {
    const raced = await race([{ n: 1 }, { n: 2 }]);

    expect(tally(raced)).toEqual({ accepted: 1, duplicate: 99, refused: 100 });
    const [id = "", ...others] = idsOf(raced);
    expect(others).toEqual([]);
    const winner = (await raced.queue.getJob(id))?.data.payload;
    const refused = raced.all.filter((_, index) => raced.answers[index]?.status === 422);
    expect(refused).toHaveLength(each / 2);
    expect(refused).not.toContainEqual(winner);
    expect(await raced.queue.getJobCounts()).toMatchObject({ waiting: 1 });
    for (const { code, stderr } of raced.ended) {
      expect(code).toBe(1);
      expect(stderr).toMatch(/^line \d+: IDEMPOTENCY_KEY_REUSED: /m);
    }
  });
});

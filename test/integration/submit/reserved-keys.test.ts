import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, defineSchedule } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { tickKey } from "../../../src/roles/schedules/tick-keys.ts";
import { anyJob } from "../../support/application.ts";
import { post } from "../../support/http.ts";
import { openOwnSubmitter } from "../../support/own-submitter.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";

const job = anyJob({ type: "render" });
const parent = anyJob({ type: "bind" });
const nightly = defineSchedule({ name: "nightly", everyMs: 60_000, job, payload: () => null });
const application = defineConfig({ jobs: [job, parent], schedules: [nightly], handlers: async () => [] });
const CONFIG = fileURLToPath(new URL("../../support/fixtures/books.config.ts", import.meta.url));
const MINUTE = 60_000;
const at = (Math.floor(Date.now() / MINUTE) + 1) * MINUTE;
const key = tickKey(nightly, at);

describe("the key of a tick to come", withProcesses, () => {
  it("is refused to clients over HTTP: in the body, the header, a batch and a flow", async () => {
    const { startApi, openBareQueue } = createService(application);
    const { url } = await startApi();
    const submission = { type: job.type, payload: null, idempotencyKey: key };
    const own = { type: parent.type, payload: null, idempotencyKey: "own" };
    const header = { "idempotency-key": key };
    const { body: batch } = await post(`${url}/jobs/batch`, { jobs: [submission, own] });
    const answers = [
      await post(`${url}/jobs`, submission),
      await post(`${url}/jobs`, { ...submission, idempotencyKey: undefined }, header),
      await post(`${url}/flows`, { parent: own, children: [submission] }),
      await post(`${url}/flows`, { parent: { ...own, idempotencyKey: key }, children: [own] }),
    ];
    const codes = answers.map(({ status, body }) => [status, body.code]);
    expect(codes).toEqual(Array(answers.length).fill([400, "IDEMPOTENCY_KEY_INVALID"]));
    expect(JSON.stringify(answers[0]?.body)).toContain("those are the ticks of schedules");
    expect(batch.results).toMatchObject([{ status: 400 }, { status: 202 }]);
    expect(await openBareQueue().getJobCounts("waiting", "waiting-children")).toEqual({
      waiting: 1,
      "waiting-children": 0,
    });
  });

  it("is refused to programs and the command line, and is still the scheduler's", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    await expect(producer.submit(job, null, { idempotencyKey: key })).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_INVALID",
    });
    const folder = await mkdtemp(path.join(tmpdir(), "holdfast-keys-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "jobs.ndjson");
    const payload = { chapter: "one" };
    await writeFile(file, `${JSON.stringify({ type: "render", payload, idempotencyKey: key })}\n`);
    const variables = { ...service.env, HOLDFAST_CONFIG: CONFIG };
    const [one, many] = await Promise.all([
      run(["submit", "render", "--key", key, "--payload", JSON.stringify(payload)], variables),
      run(["submit", "--from", file], variables),
    ]);
    expect([one.code, one.stderr]).toEqual([1, expect.stringContaining("ticks of schedules")]);
    expect([many.code, many.stderr]).toEqual([1, expect.stringContaining("ticks of schedules")]);

    const scheduler = await openOwnSubmitter(application, service.env);
    onTestFinished(scheduler.stop);
    expect(await scheduler.submit(job, null, { idempotencyKey: key })).toMatchObject({ duplicate: false });
  });
});

import { defineJob, InDoubtError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { anyJob } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const SECRET = "hunter2-and-more";

const job = defineJob({
  type: "secretive",
  payload: z.strictObject({
    user: z.strictObject({ name: z.string(), password: z.string().min(8) }),
    fails: z.boolean(),
  }),
  result: z.strictObject({ token: z.string(), public: z.string() }),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
  redact: { payload: ["/user/password"], result: ["/token"] },
});
const handler = job.handler(async ({ payload, log, effect }) => {
  log.info(`signing in with ${payload.user.password}`, { password: payload.user.password });
  if (payload.fails)
    await effect("act", async () => {
      throw new InDoubtError(`no answer to ${payload.user.password}`);
    });
  return { token: SECRET, public: "seen" };
});
const application = applicationOf(handler);
const payloadOf = (fails: boolean) => ({ user: { name: "Ada", password: SECRET }, fails });

async function withJobs() {
  const service = createService(application);
  const { url } = await service.startApi();
  await service.startWorker();
  const producer = await service.createProducer();
  const done = await producer.submit(job, payloadOf(false), { idempotencyKey: "done" });
  const failed = await producer.submit(job, payloadOf(true), { idempotencyKey: "failed" });
  await untilState(producer, done.id, "completed");
  await untilState(producer, failed.id, "failed");
  return { service, url, done, failed };
}

describe("what a contract declares secret", () => {
  it("is hidden from operators, who see the rest", async () => {
    const { url, done, failed } = await withJobs();
    const seen = await Promise.all(
      [`jobs/${done.id}`, `jobs/${failed.id}`, "jobs", "failures", "doubts", `jobs/${failed.id}/status`].map(
        async (path) => (await get(`${url}/${path}`)).body,
      ),
    );

    expect(JSON.stringify(seen)).not.toContain(SECRET);
    expect(seen[0]).toMatchObject({
      payload: { user: { name: "Ada", password: "[redacted]" } },
      result: { token: "[redacted]", public: "seen" },
      logs: [expect.stringContaining("signing in with [redacted]")],
    });
    expect(seen[1]).toMatchObject({
      error: { message: expect.stringContaining("no answer to [redacted]") },
      attempts: [{ message: expect.stringContaining("[redacted]") }],
    });
    expect(seen[4]).toMatchObject({ doubts: [{ reason: "no answer to [redacted]" }] });
  });

  it("is visible in the status route, because clients need their results", async () => {
    const { url, done } = await withJobs();

    expect((await get(`${url}/jobs/${done.id}/status`)).body).toMatchObject({ result: { token: SECRET } });
  });

  it("is hidden completely by an API that does not know the type", async () => {
    const { service, done } = await withJobs();
    const older = createService(applicationOf(anyJob().handler(async () => null)), service.env);
    const { url } = await older.startApi();

    expect((await get(`${url}/jobs/${done.id}`)).body).toMatchObject({
      payload: "[redacted]",
      result: "[redacted]",
    });
  });

  it("is not quoted in a refusal", async () => {
    const { url } = await createService(application).startApi();
    const payload = { user: { name: 1, password: "hunter2" }, fails: "hunter2" };
    const { status, body } = await post(`${url}/jobs`, { type: "secretive", idempotencyKey: "k", payload });

    expect(status).toBe(400);
    expect((body.errors as unknown[]).length).toBe(3);
    expect(JSON.stringify(body)).not.toContain("hunter2");
  });
});

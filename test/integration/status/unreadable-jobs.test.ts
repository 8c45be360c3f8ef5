import { describe, expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { jobDetailSchema } from "../../../src/desk/jobs/job-detail.ts";
import { listedJobSchema } from "../../../src/features/job-status.ts";
import { anyJob } from "../../support/application.ts";
import { garbage } from "../../support/garbage-fields.ts";
import { get } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const job = anyJob();

describe("a job that cannot be read", () => {
  async function withGarbage(fields: Record<string, string>) {
    const handler = job.handler(async ({ payload, log }) => {
      log.info("run");
      if (payload === "fail") throw new Error("broken");
      return payload;
    });
    const service = createService(applicationOf(handler));
    const [api, producer] = await Promise.all([service.startApi(), service.createProducer()]);
    const store = service.connect();
    const key = (name: string) => queueKey(service.env.HOLDFAST_PREFIX, "default", name);
    const worker = await service.startWorker();
    const ids: string[] = [];
    for (const payload of ["done", "fail"]) {
      const { id } = await producer.submit(job, payload, { idempotencyKey: payload });
      await untilState(producer, id, "completed", "failed");
      ids.push(id);
    }
    await worker.stop();
    for (const delayMs of [0, 60_000]) {
      const { id } = await producer.submit(job, "new", { idempotencyKey: `new-${delayMs}`, delayMs });
      ids.push(id);
    }
    for (const id of ids) await store.hset(key(id), { ...fields, marked: "1" });
    const { id: sound } = await producer.submit(job, "sound", { idempotencyKey: "sound" });
    return { service, api, producer, store, key, ids, sound };
  }

  it.each(Object.entries(garbage))(
    "is shown as far as it can be, and hides no other: %s",
    async (_, fields) => {
      const { api, ids, sound } = await withGarbage(fields);

      const list = await get(`${api.url}/jobs?limit=50`);
      expect(list.status).toBe(200);
      const listed = list.body.jobs as { id: string }[];
      expect(listed.map(({ id }) => id).sort()).toEqual([...ids, sound].sort());
      for (const each of listed) expect(() => listedJobSchema.parse(each)).not.toThrow();
      for (const id of [...ids, sound]) {
        expect(await get(`${api.url}/jobs/${id}/status`)).toMatchObject({ status: 200, body: { id } });
        const detail = await get(`${api.url}/jobs/${id}`);
        expect(detail.status).toBe(200);
        expect(() => jobDetailSchema.parse(detail.body)).not.toThrow();
      }
      expect((await get(`${api.url}/failures`)).status).toBe(200);
      expect((await get(`${api.url}/overview`)).status).toBe(200);
    },
  );

  it("shows what cannot be read, in its error or in the field's place", async () => {
    const { api, ids } = await withGarbage({ data: "{", opts: "}", progress: "][", timestamp: "1e20" });
    const read = async (id: string | undefined) => (await get(`${api.url}/jobs/${id}`)).body;
    const note = expect.stringContaining("Unreadable in the store: submittedAt, options, progress");

    const [completed, failed, waiting] = await Promise.all(ids.map(read));

    const inPlace = { progress: "[unreadable]", idempotencyKey: "[unreadable]", payload: "[unreadable]" };
    expect(completed).toMatchObject({ ...inPlace, state: "completed", result: "done" });
    expect(completed?.error).toEqual({ code: "INTERNAL", message: note, retryable: false });
    expect(failed).toMatchObject({ state: "failed", error: { code: "HANDLER_FAILED", message: note } });
    expect(waiting).toMatchObject({ ...inPlace, state: "waiting", maxAttempts: 1 });
  });

  it("counts as missing if its key has another type, and has no logs if those are not a list", async () => {
    const { api, store, key, ids, sound } = await withGarbage({});
    const [gone = "", logged = ""] = ids;
    await store.set(key(gone), "a text");
    await store.set(key(`${logged}:logs`), "a text");

    const list = await get(`${api.url}/jobs?limit=50`);
    const listed = list.body.jobs as { id: string }[];
    expect(listed.map(({ id }) => id).sort()).toEqual([...ids.slice(1), sound].sort());
    expect((await get(`${api.url}/jobs/${gone}/status`)).status).toBe(404);
    expect(await get(`${api.url}/jobs/${logged}`)).toMatchObject({ status: 200, body: { logs: [] } });
    for (const path of ["/failures", "/overview"]) expect((await get(api.url + path)).status).toBe(200);
  });

  it("fails when it runs, and its neighbours complete", async () => {
    const { service, producer, ids, sound } = await withGarbage({ data: "{" });
    await service.startWorker();

    const [, , waiting = ""] = ids;
    expect(await untilState(producer, waiting, "failed")).toMatchObject({
      error: { code: "INVALID_PAYLOAD", retryable: false },
    });
    await untilState(producer, sound, "completed");
  });
});

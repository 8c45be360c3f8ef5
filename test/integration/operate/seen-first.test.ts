import { defineConfig, defineJob, defineSchedule, InDoubtError } from "holdfast";
import { createClient } from "holdfast/client";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createOutboxService } from "../../support/outbox.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const common = {
  result: z.null(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
} as const;
const failing = defineJob({ type: "failing", payload: z.null(), ...common });
const doubtful = defineJob({
  type: "doubtful",
  payload: z.null(),
  ...common,
  effects: { send: { timeoutMs: 15_000, inDoubt: "hold" } },
});
const declared = defineSchedule({
  name: "declared",
  cron: "0 3 * * *",
  timeZone: "UTC",
  job: failing,
  payload: () => null,
});

const handlers = [
  failing.handler(async () => {
    throw new Error("declined");
  }),
  doubtful.handler(async ({ effect }) => {
    await effect("send", async () => {
      throw new InDoubtError("the server hung up");
    });
    return null;
  }),
];
const application = defineConfig({
  jobs: [failing, doubtful],
  schedules: [declared],
  handlers: async () => handlers,
});

async function start() {
  const service = createService(application);
  const { url } = await service.startApi();
  return { service, client: createClient({ url }), producer: await service.createProducer() };
}

const changed = expect.objectContaining({ code: "CHANGED_MEANWHILE" });
const reason = "theirs";

describe("what is no longer as it was seen stays", () => {
  it("limits of a queue", async () => {
    const { client } = await start();
    const limit = (concurrency: number, limitedSince: string | null) =>
      client.limitQueue("default", { concurrency, expect: { limitedSince } });

    const both = await Promise.allSettled([limit(2, null), limit(3, null)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const [queue] = await client.queues();
    const since = queue?.override?.since ?? "";
    await expect(limit(4, null)).rejects.toEqual(changed);
    expect((await limit(5, since)).limits.concurrency).toBe(5);
    await expect(limit(6, since)).rejects.toThrow(
      "is limited by API meanwhile: 5 at a time. Nothing was done",
    );
    expect((await client.queues())[0]?.limits.concurrency).toBe(5);
  });

  it("a type that is paused or limited", async () => {
    const { client } = await start();
    const of = { type: "failing" };
    const pause = (pausedSince: string | null) =>
      client.pauseQueue("default", { ...of, reason, expect: { pausedSince } });
    const seen = async () => (await client.queues())[0]?.curbs[0]?.since ?? null;

    const both = await Promise.allSettled([pause(null), pause(null)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const first = await seen();
    await client.limitQueue("default", { ...of, concurrency: 2, expect: { limitedSince: first } });
    await expect(pause(first)).rejects.toThrow(
      "The type failing was limited to 2 at a time by API meanwhile",
    );
    await expect(client.resumeQueue("default", { ...of, expect: { pausedSince: first } })).rejects.toEqual(
      changed,
    );
    await client.resumeQueue("default", { ...of, expect: { pausedSince: await seen() } });
    expect(await seen()).toBeNull();
    await expect(client.resumeQueue("default", { ...of, expect: { pausedSince: first } })).rejects.toThrow(
      "is neither paused nor limited any more",
    );
  });

  it("a schedule, its pause, and a tick of it", async () => {
    const { client } = await start();
    const put = (cron: string, version: number | null) =>
      client.putSchedule("own", {
        ...{ type: "failing", cron, timeZone: "UTC", payload: null, expect: { version } },
      });
    const pause = (pausedSince: string | null) =>
      client.pauseSchedule("own", { reason, expect: { pausedSince } });

    const both = await Promise.allSettled([put("0 1 * * *", null), put("0 2 * * *", null)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await put("0 3 * * *", 1);
    await expect(put("0 4 * * *", 1)).rejects.toThrow(
      "Schedule own has version 2 meanwhile. Nothing was done",
    );
    await expect(client.deleteSchedule("own", { version: 1 })).rejects.toEqual(changed);

    const pauses = await Promise.allSettled([pause(null), pause(null)]);
    expect(pauses.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const [own] = (await client.schedules({ prefix: "own" })).schedules;
    await client.resumeSchedule("own", { expect: { pausedSince: own?.paused?.since ?? null } });
    await expect(
      client.resumeSchedule("own", { expect: { pausedSince: own?.paused?.since ?? null } }),
    ).rejects.toThrow("Schedule own is not paused any more");

    const at = own?.next[0] ?? "";
    const skip = (undo: boolean) => client.skipTick("own", { at, reason, undo, expect: { isSkipped: undo } });
    await skip(false);
    await expect(skip(false)).rejects.toThrow("told to skip it by API: theirs. Nothing was done");
    await skip(true);
    await expect(skip(true)).rejects.toThrow(`That tick of own runs`);
    expect(await client.deleteSchedule("own", { version: 2 })).toBe("deleted");
  });

  it("a doubt that was resolved and has come anew", async () => {
    const { client, producer, service } = await start();
    await service.startWorker();
    const { id } = await producer.submit(doubtful, null, { idempotencyKey: "a" });
    const doubt = async (but = "") =>
      await until("it is in doubt", async () =>
        (await client.doubts()).find(({ jobId, since }) => jobId === id && since !== but),
      );
    const first = await doubt();
    const ids = [{ jobId: id, effect: "send", since: first.since }];
    await client.resolve(id, "send", { as: "not-done", evidence: "theirs", expect: { since: first.since } });
    const second = await doubt(first.since);

    await expect(
      client.resolve(id, "send", { as: "done", evidence: "mine", expect: { since: first.since } }),
    ).rejects.toThrow("is in doubt anew since you looked. Nothing was done");
    expect(await client.resolveDoubts({ ids, as: "done", evidence: "mine" })).toMatchObject({
      resolved: 0,
      skipped: [{ jobId: id, effect: "send", code: "CHANGED_MEANWHILE" }],
    });
    expect(await client.askProbes({ ids })).toMatchObject({ asked: 0 });
    // When its worker was seen goes on.
    expect((await doubt()).since).toBe(second.since);
  });

  it("a job that ran again, and those that failed after a preview", async () => {
    const { client, producer, service } = await start();
    await service.startWorker();
    const { id } = await producer.submit(failing, null, { idempotencyKey: "a" });
    const { finishedAt } = await untilState(producer, id, "failed");
    const preview = await client.previewAct({ act: "delete", filter: { type: "failing" } });
    expect(preview.count).toBe(1);
    await client.retry(id);
    const again = await until("it has failed again", async () => {
      const now = await client.detail(id);
      return now.state === "failed" && now.finishedAt !== finishedAt && now;
    });

    await expect(client.delete(id, { finishedAt: finishedAt ?? "" })).rejects.toThrow(
      "The job has run again since you looked, and is failed again. Nothing was done",
    );
    const act = await client.startAct(
      { act: "delete", filter: { type: "failing" }, reason: "mine", before: preview.before },
      { idempotencyKey: "act" },
    );
    await until("the act is over", async () => (await client.act(act)).state === "done");
    expect(await client.act(act)).toMatchObject({ total: 0, done: 0 });
    expect(await client.delete(id, { finishedAt: again.finishedAt ?? "" })).toBe("deleted");
  });

  it("a row of the outbox that was parked anew", async () => {
    const service = await createOutboxService(applicationOf(...handlers));
    const { url } = await service.startApi();
    const client = createClient({ url });
    await service.pool.query(
      `INSERT INTO holdfast_outbox (type, payload, idempotency_key, state, problem)
       VALUES ('no-such-type', '{}', 'a', 'parked', '{"code": "UNKNOWN_JOB_TYPE", "message": "?"}')`,
    );
    const [row] = await client.parkedRows();
    const { id = "", parkedAt = "" } = row ?? {};
    await service.pool.query("UPDATE holdfast_outbox SET changed_at = changed_at + interval '1 ms'");

    await expect(client.discardRow(id, { parkedAt })).rejects.toThrow(
      `Row ${id} was parked anew since you looked. Nothing was done`,
    );
    await expect(client.releaseRow(id, { parkedAt })).rejects.toEqual(changed);
    const [anew] = await client.parkedRows();
    expect(anew?.id).toBe(id);
    await client.discardRow(id, { parkedAt: anew?.parkedAt ?? "" });
    expect(await client.parkedRows()).toEqual([]);
    await expect(client.discardRow(id, { parkedAt })).rejects.toMatchObject({ code: "OUTBOX_ROW_NOT_FOUND" });
  });
});

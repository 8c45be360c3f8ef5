/** Facts about BullMQ that submit and status rely on but BullMQ does not promise. Seen in 6.7.0; an upgrade that changes one fails here. */
import { readFileSync } from "node:fs";
import type { WorkerOptions } from "bullmq";
import { describe, expect, it } from "vitest";
import { useBareQueue } from "../../support/bare-queue.ts";
import { latch } from "../../support/latch.ts";
import { until } from "../../support/until.ts";

const bare = useBareQueue();
const soon = { type: "fixed", delay: 10 };
const packageFile = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../../${path}package.json`, import.meta.url), "utf8"));

describe("the version of BullMQ", () => {
  it("is pinned to the one that these facts were seen in", () => {
    expect(packageFile("").devDependencies.bullmq).toBe("6.7.0");
    expect(packageFile("node_modules/bullmq/").version).toBe("6.7.0");
  });
});

describe("deduplication with a ttl, which submit relies on", () => {
  const add = (jobId: string, ttl = 60_000) =>
    bare.queue.add("job", { of: jobId }, { jobId, deduplication: { id: "claim", ttl } });

  it("adds nothing while a job has the key, and returns that job's id", async () => {
    expect((await add("first")).id).toBe("first");
    expect((await add("second")).id).toBe("first");

    expect(await bare.queue.getJob("second")).toBeUndefined();
    expect(await bare.queue.getJob("first")).toMatchObject({ data: { of: "first" } });
    expect(await bare.queue.getJobCounts()).toMatchObject({ waiting: 1 });
  });

  it("gives the key to one of many that ask at once", async () => {
    const jobs = await Promise.all(Array.from({ length: 100 }, (_, index) => add(`job-${index}`)));

    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(await bare.queue.getJobCounts()).toMatchObject({ waiting: 1 });
  });

  it.each<[string, Partial<WorkerOptions>]>([
    ["at once", { removeOnComplete: { count: 0 } }],
    ["by count", { removeOnComplete: { count: 1 } }],
    ["by age", { removeOnComplete: { age: 0, count: 10 } }],
  ])("keeps the key when the job is removed %s", async (_, options) => {
    await add("first");
    await bare.queue.add("job", 1, { jobId: "next" });

    bare.work(async () => "done", options);
    await until("the job is gone", async () => (await bare.queue.getJob("first")) === undefined);

    expect((await add("second")).id).toBe("first");
  });

  it("keeps the key if the job's own options remove it", async () => {
    await bare.queue.add("job", 1, {
      jobId: "first",
      removeOnComplete: true,
      deduplication: { id: "claim", ttl: 60_000 },
    });

    bare.work(async () => "done");
    await until("the job is gone", async () => (await bare.queue.getJob("first")) === undefined);

    expect((await add("second")).id).toBe("first");
  });

  it("releases the key after the ttl, even while the job is kept", async () => {
    await add("first", 50);

    await until("the key is free", async () => (await add("second", 50)).id === "second");

    expect(await bare.queue.getJobCounts()).toMatchObject({ waiting: 2 });
  });

  it("releases the key if the job is removed by hand", async () => {
    await (await add("first")).remove();

    expect((await add("second")).id).toBe("second");
  });

  it("adds no second job for an existing id, as when a client retries after a lost reply", async () => {
    await bare.queue.add("job", 1, { jobId: "same" });
    await bare.queue.add("job", 2, { jobId: "same" });

    expect(await bare.queue.getJobCounts()).toMatchObject({ waiting: 1 });
    expect(await bare.queue.getJob("same")).toMatchObject({ data: 1 });
  });
});

describe("the keys and fields that the status is read from", () => {
  it("are those of a job's hash", async () => {
    bare.work(async (job) => {
      await job.updateProgress({ percent: 50 });
      if (job.attemptsMade === 0) throw new Error("first try");
      return { sum: 3 };
    });
    const before = Date.now();

    await bare.queue.add("job", { n: 1 }, { jobId: "a", attempts: 2, backoff: soon });
    await bare.untilFinished("a");

    const hash = await bare.store.hgetall(bare.key("a"));
    expect(hash).toMatchObject({
      name: "job",
      data: '{"n":1}',
      opts: expect.stringContaining('"attempts":2'),
      atm: "2",
      ats: "2",
      progress: '{"percent":50}',
      returnvalue: '{"sum":3}',
    });
    for (const field of ["timestamp", "processedOn", "finishedOn"]) {
      expect(Number(hash[field])).toBeGreaterThanOrEqual(before);
      expect(Number(hash[field])).toBeLessThanOrEqual(Date.now());
    }
  });

  it("keep a failed attempt's reason after a later one succeeded", async () => {
    bare.work(async (job) => {
      if (job.attemptsMade === 0) throw new Error("first try");
    });

    await bare.queue.add("job", 1, { jobId: "a", attempts: 2, backoff: soon });
    await bare.untilFinished("a");

    expect(await bare.store.hget(bare.key("a"), "failedReason")).toBe("first try");
  });

  it("are the sorted sets, and the list of active jobs, named after the states", async () => {
    const release = latch();
    await bare.queue.add("job", 1, { jobId: "later", delay: 60_000 });
    await bare.queue.add("job", 1, { jobId: "urgent", priority: 3 });
    expect(await bare.store.zscore(bare.key("prioritized"), "urgent")).not.toBeNull();
    bare.work(
      async ({ id }) => {
        if (id === "slow") await release.opened;
        if (id === "bad") throw new Error("as asked");
      },
      { concurrency: 3 },
    );
    await bare.queue.addBulk(
      ["good", "bad", "slow"].map((jobId) => ({ name: "job", data: 1, opts: { jobId } })),
    );
    await Promise.all([
      bare.untilFinished("good"),
      bare.untilFinished("bad"),
      bare.untilFinished("urgent"),
      bare.untilState("slow", "active"),
    ]);

    expect(await bare.store.zscore(bare.key("completed"), "good")).not.toBeNull();
    expect(await bare.store.zscore(bare.key("failed"), "bad")).not.toBeNull();
    expect(await bare.store.zscore(bare.key("delayed"), "later")).not.toBeNull();
    expect(await bare.store.lpos(bare.key("active"), "slow")).toBe(0);
    release.open();
  });

  it("share a namespace with jobs, so an id from outside could ruin a queue, and ours never is", async () => {
    await expect(bare.queue.add("job", 1, { jobId: "wait" })).rejects.toThrow("WRONGTYPE");

    await expect(bare.queue.add("job", 1, { jobId: "innocent" })).rejects.toThrow("WRONGTYPE");
  });

  it("score a delayed job by 4096 times its due time", async () => {
    const before = Date.now();
    await bare.queue.add("job", 1, { jobId: "a", delay: 60_000 });
    const after = Date.now();

    const due = Math.floor(Number(await bare.store.zscore(bare.key("delayed"), "a")) / 4_096);

    expect(due).toBeGreaterThanOrEqual(before + 60_000);
    expect(due).toBeLessThanOrEqual(after + 60_000);
  });
});

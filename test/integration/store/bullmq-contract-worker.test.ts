/** Facts about BullMQ that the worker relies on but BullMQ does not promise. Seen in 6.7.0; an upgrade that changes one fails here. */
import { DelayedError, Job, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { describe, expect, it, onTestFinished } from "vitest";
import { onRedisTime } from "../../../src/core/bullmq/claim/claim-scripts.ts";
import { useBareQueue } from "../../support/bare-queue.ts";
import { latch } from "../../support/latch.ts";
import { until } from "../../support/until.ts";

const bare = useBareQueue();
const soon = { type: "fixed", delay: 10 };

describe("how an attempt ends, which the consumer relies on", () => {
  it("moveToWait and WaitingError release a job without using up an attempt", async () => {
    const states: unknown[] = [];
    bare.work(async (job, token = "") => {
      if (job.attemptsStarted > 1) return "done";
      await job.moveToWait(token);
      states.push(await job.getState(), (await bare.queue.getJob("a"))?.attemptsMade);
      throw new WaitingError();
    });

    await bare.queue.add("job", 1, { jobId: "a" });

    expect(await bare.untilFinished("a")).toMatchObject({
      attemptsMade: 1,
      attemptsStarted: 2,
      returnvalue: "done",
    });
    expect(states).toEqual(["waiting", 0]);
  });

  it("moveToDelayed and DelayedError delay a job without using up an attempt", async () => {
    bare.work(async (job, token = "") => {
      if (job.attemptsStarted > 1) return "done";
      await job.moveToDelayed(Date.now() + 20, token);
      throw new DelayedError();
    });

    await bare.queue.add("job", 1, { jobId: "a" });

    expect(await bare.untilFinished("a")).toMatchObject({ attemptsMade: 1, attemptsStarted: 2 });
  });

  it("a job with a deferred failure fails when it is claimed, without running", async () => {
    let runs = 0;
    await bare.queue.add("job", 1, { jobId: "a", attempts: 5 });
    await bare.store.hset(bare.key("a"), "defa", "as asked");

    bare.work(async () => (runs += 1));

    expect(await bare.untilFinished("a")).toMatchObject({ failedReason: "as asked", attemptsMade: 1 });
    expect(runs).toBe(0);
  });

  it("retrying a failed job by hand can reset its attempts and starts", async () => {
    let isMended = false;
    bare.work(async () => {
      if (!isMended) throw new Error("broken");
    });
    await bare.queue.add("job", 1, { jobId: "a", attempts: 2, backoff: soon });
    const failed = await bare.untilFinished("a");

    isMended = true;
    await failed.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
    await bare.untilState("a", "completed");

    expect(await bare.queue.getJob("a")).toMatchObject({ attemptsMade: 1, attemptsStarted: 1 });
  });

  it("a backoff changed in memory sets the next delay, and only that", async () => {
    bare.work(async (job) => {
      if (job.attemptsMade > 0) return;
      job.opts.backoff = { type: "fixed", delay: 60_000 };
      throw new Error("later");
    });

    await bare.queue.add("job", 1, { jobId: "a", attempts: 2, backoff: soon });
    await bare.untilState("a", "delayed");

    const score = Number(await bare.store.zscore(bare.key("delayed"), "a"));
    expect(score / 4_096 - Date.now()).toBeGreaterThan(50_000);
    expect((await bare.queue.getJob("a"))?.opts.backoff).toEqual(soon);
  });

  it("keepLogs changed in memory limits the log to the newest lines", async () => {
    bare.work(async (job) => {
      job.opts.keepLogs = 2;
      for (const line of ["one", "two", "three"]) await job.log(line);
    });

    await bare.queue.add("job", 1, { jobId: "a" });
    await bare.untilFinished("a");

    expect(await bare.queue.getJobLogs("a")).toMatchObject({ logs: ["two", "three"] });
  });

  it("UnrecoverableError ends a job with attempts left", async () => {
    bare.work(() => Promise.reject(new UnrecoverableError("no use")));

    await bare.queue.add("job", 1, { jobId: "a", attempts: 5 });

    expect(await bare.untilFinished("a")).toMatchObject({ attemptsMade: 1, failedReason: "no use" });
  });

  it("closing a worker waits for running jobs, and claims no new ones", async () => {
    const [begun, release] = [latch(), latch()];
    const worker = bare.work(async () => {
      begun.open();
      await release.opened;
    });
    await bare.queue.add("job", 1, { jobId: "a" });
    await begun.opened;
    await bare.queue.add("job", 1, { jobId: "b" });

    const closed = worker.close();
    release.open();
    await closed;

    expect(await bare.queue.getJobState("a")).toBe("completed");
    expect(await bare.queue.getJobState("b")).toBe("waiting");
  });
});

describe("locks and stalled jobs, which recovery relies on", () => {
  const fast = { lockDuration: 400, stalledInterval: 50 };

  it("a job's lock is a key beside it, and its renewal is reported", async () => {
    const [renewed, release] = [latch(), latch()];
    const reported: string[] = [];
    const worker = bare.work(() => release.opened, fast);
    worker.on("locksRenewed", ({ jobIds }) => {
      reported.push(...jobIds);
      renewed.open();
    });

    await bare.queue.add("job", 1, { jobId: "a" });
    await renewed.opened;

    expect(reported).toContain("a");
    expect(await bare.store.pttl(bare.key("a:lock"))).toBeGreaterThan(0);
    release.open();
    await bare.untilFinished("a");
    expect(await bare.store.exists(bare.key("a:lock"))).toBe(0);
  });

  it("a lost lock is reported as lockRenewalFailed, and its job cannot complete any more", async () => {
    const [begun, lost, release] = [latch(), latch(), latch()];
    const reported: string[] = [];
    const worker = bare.work(
      async () => {
        begun.open();
        await release.opened;
        return "too late";
      },
      { ...fast, stalledInterval: 60_000 },
    );
    worker.on("lockRenewalFailed", (ids) => {
      reported.push(...ids);
      lost.open();
    });
    await bare.queue.add("job", 1, { jobId: "a" });
    await begun.opened;

    await bare.store.del(bare.key("a:lock"));
    await lost.opened;
    release.open();
    await worker.close();

    expect(reported).toEqual(["a"]);
    expect(await bare.queue.getJobState("a")).toBe("active");
  });

  /** Claims a job and lets its lock expire, as a dead worker would. */
  async function abandon(id: string): Promise<void> {
    const dead = bare.work(async () => {}, { autorun: false, skipLockRenewal: true, skipStalledCheck: true });
    await until(
      `job ${id} was claimed`,
      async () => (await dead.getNextJob("token", { block: false }))?.id === id,
    );
    await bare.store.del(bare.key(`${id}:lock`));
  }

  it("a stalled job runs again without using up an attempt, and its starts are counted", async () => {
    await bare.queue.add("job", 1, { jobId: "a" });
    await abandon("a");

    bare.work(async () => "done", { ...fast, maxStalledCount: Number.MAX_SAFE_INTEGER });

    expect(await bare.untilFinished("a")).toMatchObject({
      attemptsMade: 1,
      attemptsStarted: 2,
      returnvalue: "done",
    });
  });

  it("a job that stalled more often than maxStalledCount fails without running", async () => {
    let runs = 0;
    await bare.queue.add("job", 1, { jobId: "a" });
    await abandon("a");

    bare.work(async () => (runs += 1), { ...fast, maxStalledCount: 0 });

    expect(await bare.untilFinished("a")).toMatchObject({
      failedReason: "job stalled more than allowable limit",
    });
    expect(runs).toBe(0);
  });
});

describe("the extension points of a worker, which the claiming worker relies on", () => {
  const timed = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

  it("the scripts that compare times are defined under these names before the first claim", async () => {
    const defined: string[] = [];
    const connection = bare.store.duplicate();
    onTestFinished(() => connection.disconnect());
    const define = connection.defineCommand.bind(connection);
    connection.defineCommand = (name, definition) => {
      if (timed.some((script) => name === `${script}:6.7.0`) && /\bARGV\[2\]/.test(definition.lua ?? ""))
        defined.push(name.replace(":6.7.0", ""));
      define(name, definition);
    };
    const worker = bare.work(async () => {}, { connection: onRedisTime(connection) });
    await worker.waitUntilReady();

    expect(defined.sort()).toEqual([...timed].sort());
  });

  it("each claimed job is made by createJob of the worker's own class, and passes processJob", async () => {
    class OwnJob extends Job {}
    const [made, processed, tracked]: [string[], boolean[], number[]] = [[], [], []];
    class OwnWorker extends Worker {
      protected override get Job(): typeof Job {
        return OwnJob as typeof Job;
      }
      protected override createJob(...args: Parameters<Worker["createJob"]>) {
        made.push(args[1]);
        return super.createJob(...args);
      }
      override async processJob(...args: Parameters<Worker["processJob"]>) {
        processed.push(args[0] instanceof OwnJob);
        const next = await super.processJob(...args);
        // Only jobs claimed together with this one's end may be there, and it is not tracked yet.
        tracked.push(this.lockManager.getActiveJobCount());
        return next;
      }
    }
    for (const id of ["a", "b", "c"]) await bare.queue.add("job", 1, { jobId: id });
    const { prefix } = bare.queue.opts;
    const worker = new OwnWorker(bare.queue.name, async () => {}, {
      connection: bare.store,
      ...(prefix && { prefix }),
    });
    onTestFinished(() => worker.close());
    await bare.untilFinished("c");
    await until("all have finished", () => tracked.length === 3);

    expect(made).toEqual(["a", "b", "c"]);
    expect(processed).toEqual([true, true, true]);
    expect(tracked).toEqual([0, 0, 0]);
  });
});

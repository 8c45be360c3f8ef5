/** Facts about BullMQ's parents and children that flows rely on but BullMQ does not promise. Seen in 6.7.0. */
import { FlowProducer } from "bullmq";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { useBareQueue } from "../../support/bare-queue.ts";
import { until } from "../../support/until.ts";

const bare = useBareQueue();
let flows: FlowProducer;
const prefix = () => bare.queue.opts.prefix ?? "";

beforeEach(() => {
  flows = new FlowProducer({ prefix: prefix(), connection: bare.store });
});
afterEach(() => flows.close());

/** Adds a parent `p` with children `a` and `b`. */
const add = (options: object = {}, parentOptions: object = {}) =>
  flows.add({
    name: "parent",
    queueName: bare.queue.name,
    opts: { jobId: "p", ...parentOptions },
    children: ["a", "b"].map((jobId) => ({
      name: "child",
      queueName: bare.queue.name,
      opts: { jobId, ...options },
    })),
  });

const states = (...ids: string[]) => Promise.all(ids.map((id) => bare.queue.getJobState(id)));

describe("a parent, as BullMQ stores it", () => {
  it("is in waiting-children, with the keys of its children in dependencies", async () => {
    await add();
    expect(await bare.store.zrange(bare.key("waiting-children"), "0", "-1")).toEqual(["p"]);
    expect((await bare.store.smembers(bare.key("p:dependencies"))).sort()).toEqual([
      bare.key("a"),
      bare.key("b"),
    ]);
  });

  it("is named by its children in two fields", async () => {
    await add({ ignoreDependencyOnFailure: true });
    const { parentKey, parent = "" } = await bare.store.hgetall(bare.key("a"));
    const queueKey = bare.key("p").slice(0, -":p".length);
    expect(parentKey).toBe(bare.key("p"));
    expect(JSON.parse(parent)).toEqual({ id: "p", queueKey, idof: true });
  });

  it("gets the results of its children as JSON, by their keys, and keeps them when they are removed", async () => {
    await add({ removeOnComplete: true });
    bare.work(async ({ id }) => (id === "p" ? "done" : { of: id }));
    await bare.untilFinished("p");
    expect(await states("a", "b")).toEqual(["unknown", "unknown"]);
    expect(await bare.store.hgetall(bare.key("p:processed"))).toEqual({
      [bare.key("a")]: '{"of":"a"}',
      [bare.key("b")]: '{"of":"b"}',
    });
  });

  it("does not run while dependencies hold anything, even if no job has that key", async () => {
    await add();
    await bare.store.sadd(bare.key("p:dependencies"), bare.key("p:open"));
    bare.work(async () => "done");
    await Promise.all([bare.untilFinished("a"), bare.untilFinished("b")]);
    expect(await states("p")).toEqual(["waiting-children"]);
    expect(await bare.store.smembers(bare.key("p:dependencies"))).toEqual([bare.key("p:open")]);
    // BullMQ's own tools read such a flow.
    const tree = await flows.getFlow({
      id: "p",
      queueName: bare.queue.name,
      prefix: prefix(),
    });
    expect(tree.job.id).toBe("p");
  });

  it("cannot complete while a child is in dependencies or unsuccessful", async () => {
    await bare.queue.add("parent", {}, { jobId: "p" });
    await bare.store.sadd(bare.key("p:dependencies"), bare.key("a"));
    bare.work(async () => "done");
    const { failedReason } = await bare.untilFinished("p");
    expect(failedReason).toContain("pending");
  });

  it("is deleted with all keys of its children", async () => {
    await add();
    bare.work(async () => "done");
    const job = await bare.untilFinished("p");
    await job.remove();
    expect(await bare.store.keys(bare.key("p*"))).toEqual([]);
  });

  it("is in front of the jobs that wait when its children have ended", async () => {
    await add();
    await bare.queue.add("other", {}, { jobId: "other" });
    const order: (string | undefined)[] = [];
    bare.work(async ({ id }) => void order.push(id), { concurrency: 1 });
    await bare.untilFinished("other");
    expect(order).toEqual(["a", "b", "p", "other"]);
  });
});

describe("a child that fails", () => {
  const fails = async ({ id }: { id?: string | undefined }) => {
    if (id === "a") throw new Error("on request");
    return "done";
  };

  it("with failParentOnFailure fails its parent at once, unrun, by its key; and is in unsuccessful", async () => {
    await add({ failParentOnFailure: true });
    const ran: (string | undefined)[] = [];
    bare.work(async (job) => {
      ran.push(job.id);
      if (job.id === "a") throw new Error("on request");
    });
    const { failedReason } = await bare.untilFinished("p");
    expect(failedReason).toBe(`child ${bare.key("a")} failed`);
    expect(ran).not.toContain("p");
    expect(await bare.store.zrange(bare.key("p:unsuccessful"), "0", "-1")).toEqual([bare.key("a")]);
  });

  it("with ignoreDependencyOnFailure lets its parent run after the others; its reason is in failed", async () => {
    await add({ ignoreDependencyOnFailure: true });
    const order: (string | undefined)[] = [];
    bare.work(async (job) => {
      order.push(job.id);
      return await fails(job);
    });
    expect((await bare.untilFinished("p")).returnvalue).toBe("done");
    expect(order.at(-1)).toBe("p");
    expect(await bare.store.hgetall(bare.key("p:failed"))).toEqual({ [bare.key("a")]: "on request" });
    expect(await bare.store.hkeys(bare.key("p:processed"))).toEqual([bare.key("b")]);
  });

  it("is not waited for again when BullMQ retries it", async () => {
    await add({ ignoreDependencyOnFailure: true });
    await bare.queue.pause();
    bare.work(fails);
    await bare.queue.resume();
    await bare.untilFinished("p");
    const child = await bare.queue.getJob("a");
    await child?.retry();
    await until("it has failed again", async () => (await bare.queue.getJobState("a")) === "failed");
    expect(await bare.store.hgetall(bare.key("p:failed"))).toEqual({ [bare.key("a")]: "on request" });
    expect(await bare.queue.getJobState("p")).toBe("completed");
  });
});

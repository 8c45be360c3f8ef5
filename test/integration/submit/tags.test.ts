import type { Operator, Producer } from "holdfast";
import { createClient } from "holdfast/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { sweepIndex } from "../../../src/features/sweep-index.ts";
import { tagIndex } from "../../../src/features/tags/in-worker.ts";
import { application, echo, failing } from "../../support/application.ts";
import { post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

// Each job that completes makes BullMQ remove the one before.
const service = createService(application, { HOLDFAST_KEEP_COMPLETED: "1" }, afterAll);
const redis = service.connect();
let producer: Producer;
let operator: Operator;
let url: string;

beforeAll(async () => {
  producer = await service.createProducer();
  operator = await service.createOperator();
  ({ url } = await service.startApi());
});

function keyOf(name: string): string {
  return queueKey(service.env.HOLDFAST_PREFIX, "default", name);
}

async function submit(key: string, tags: readonly string[]): Promise<string> {
  return (await producer.submit(echo, 1, { idempotencyKey: key, tags })).id;
}

async function taggedWith(tag: string): Promise<string[]> {
  return (await operator.list({ tag, limit: 200 })).jobs.map(({ id }) => id);
}

describe("tags", withProcesses, () => {
  it("find a job by each of them, and are shown with it", async () => {
    const first = await submit("first", ["customer:42", "import"]);
    const second = await submit("second", ["import"]);
    const plain = await submit("plain", []);

    expect(await taggedWith("import")).toEqual([second, first]);
    expect(await taggedWith("customer:42")).toEqual([first]);
    expect(await taggedWith("customer:4")).toEqual([]);
    expect(await producer.status(first)).toMatchObject({ tags: ["customer:42", "import"] });
    expect(await operator.detail(plain)).toMatchObject({ tags: [] });
    expect(await operator.list({ tag: "import", limit: 1, total: true })).toMatchObject({
      jobs: [{ tags: ["import"] }],
      total: { count: 2, isExact: true },
    });
  });

  it("cost a job without any nothing", async () => {
    const before = await redis.keys(keyOf("tag*"));
    await submit("untagged", []);
    expect(await redis.keys(keyOf("tag*"))).toEqual(before);
  });

  it("are part of the content: with others, the key is refused; their order does not matter", async () => {
    const id = await submit("content", ["a", "b"]);
    expect(await submit("content", ["b", "a"])).toBe(id);
    await expect(submit("content", ["a"])).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });

  it.each([
    [Array.from({ length: 11 }, (_, at) => `t${at}`), "/options/tags"],
    [["twice", "twice"], "/options/tags"],
    [["x".repeat(65)], "/options/tags/0"],
    [["fine", "with space"], "/options/tags/1"],
    [[""], "/options/tags/0"],
  ])("are refused where they are not what is allowed: %j", async (tags, pointer) => {
    const body = { type: "echo", payload: 1, idempotencyKey: "refused", options: { tags } };
    expect(await post(`${url}/jobs`, body)).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST", errors: [{ pointer }] },
    });
  });

  it("work over HTTP, with the client and from the command line", async () => {
    const client = createClient({ url });
    const { id } = await client.submit(echo, 1, { idempotencyKey: "client", tags: ["everywhere"] });
    const { stdout } = await run(
      ["submit", "echo", "--key", "cli", "--payload", "1", "--tag", "everywhere", "second-one", "--json"],
      service.env,
    );
    const { jobs, total } = await client.list({ tag: "everywhere", total: true });
    expect(jobs.map((job) => job.id)).toEqual([JSON.parse(stdout).id, id]);
    expect(total).toEqual({ count: 2, isExact: true });
    expect((await run(["jobs", "show", id], service.env)).stdout).toContain("tags          everywhere");
  });

  it("stay with a job that is retried, and with its state in the filter find it there alone", async () => {
    const { id } = await producer.submit(failing, 1, { idempotencyKey: "retried", tags: ["retried"] });
    const worker = await service.startWorker();
    await untilState(producer, id, "failed");
    await worker.stop();
    expect((await operator.list({ tag: "retried", state: "failed", limit: 5 })).jobs).toHaveLength(1);
    expect((await operator.list({ tag: "retried", state: "waiting", limit: 5 })).jobs).toEqual([]);
    await operator.retry(id);
    const { jobs } = await operator.list({ tag: "retried", state: "waiting", limit: 5 });
    expect(jobs).toMatchObject([{ id, tags: ["retried"] }]);
    await operator.cancel(id);
    await operator.delete(id, "tests");
    expect(await redis.exists(keyOf("tag:retried"))).toBe(0);
  });

  it("forget jobs that BullMQ has removed: when they are found, and by the sweep", async () => {
    const ids = await Promise.all(
      Array.from({ length: 120 }, (_, at) => submit(`gone-${at}`, ["seen", `own-${at % 60}`])),
    );
    await service.startWorker();
    await until(
      "all but the latest are removed",
      async () =>
        (await redis.zcard(keyOf("completed"))) === 1 &&
        (await redis.llen(keyOf("wait"))) === 0 &&
        (await redis.llen(keyOf("active"))) === 0,
    );
    expect(await redis.zcard(keyOf("tag:seen"))).toBe(120);

    const left = await taggedWith("seen");
    expect(left.length).toBeLessThanOrEqual(1);
    expect(ids).toEqual(expect.arrayContaining(left));
    expect(await redis.zcard(keyOf("tag:seen"))).toBe(left.length);

    const store = plainStores(redis, service.env.HOLDFAST_PREFIX).of("default");
    await until("the sweep has removed the others", async () => {
      await sweepIndex(store, { ...tagIndex, againMs: 0 });
      return (await redis.keys(keyOf("tag:own-*"))).length <= 1;
    });
    const tags = await redis.zrange(keyOf("tags"), "0", "-1");
    expect(tags.filter((tag) => tag.startsWith("own-")).length).toBeLessThanOrEqual(1);
  });
});

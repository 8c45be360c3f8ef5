import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Operator, Producer } from "holdfast";
import { createClient } from "holdfast/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { searchIndex } from "../../../src/features/search/in-worker.ts";
import { sweepIndex } from "../../../src/features/sweep-index.ts";
import application, { letter, parcel } from "../../support/fixtures/letters.config.ts";
import { get } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const CONFIG = fileURLToPath(new URL("../../support/fixtures/letters.config.ts", import.meta.url));
const encryption = { HOLDFAST_ENCRYPTION_KEYS: `key:${randomBytes(32).toString("base64")}` };
// Each job that completes makes BullMQ remove the one before.
const service = createService(application, { ...encryption, HOLDFAST_KEEP_COMPLETED: "1" }, afterAll);
const redis = service.connect();
let producer: Producer;
let operator: Operator;

beforeAll(async () => {
  producer = await service.createProducer();
  operator = await service.createOperator();
});

function keyOf(name: string): string {
  return queueKey(service.env.HOLDFAST_PREFIX, "default", name);
}

async function submit(key: string, payload: object): Promise<string> {
  const options = { idempotencyKey: key, delayMs: 60_000 };
  return (await producer.submit(letter, payload, options)).id;
}

async function found(search: string, more = {}): Promise<string[]> {
  return (await operator.list({ search, limit: 200, ...more })).jobs.map(({ id }) => id);
}

describe("the searchable fields of a contract", withProcesses, () => {
  it("find a job by a whole value, however it is written, and by nothing else", async () => {
    const first = await submit("first", { email: "Ada@Example.com", order: 42 });
    const second = await submit("second", {
      email: " ada@example.com ",
      lines: [{ sku: "A-1" }, { sku: "B-2" }],
    });
    await submit("third", { email: "charles@example.com", text: "not searchable" });

    expect(await found("ADA@example.com")).toEqual([second, first]);
    expect(await found("42")).toEqual([first]);
    expect(await found("ｂ-2")).toEqual([second]);
    expect(await found("ada@example")).toEqual([]);
    expect(await found("not searchable")).toEqual([]);
    expect(await operator.list({ search: "ada@example.com", limit: 1, total: true })).toMatchObject({
      jobs: [{ id: second }],
      total: { count: 2, isExact: true },
    });
  });

  it("leave no value in Redis where jobs are encrypted, and no hash that others could test guesses against", async () => {
    const email = "grace@example.com";
    await submit("hashed", { email });
    const plainHashes = ["sha1", "sha256", "sha512", "md5"].map((name) =>
      createHash(name).update(email).digest("hex").slice(0, 20),
    );
    const dump = await Promise.all(
      (await redis.keys(`${service.env.HOLDFAST_PREFIX}*`)).map(
        async (key) => `${key} ${await redis.dump(key)}`,
      ),
    );
    const stored = dump.join("\n");
    expect(await found(email)).toHaveLength(1);
    for (const text of [email, ...plainHashes]) expect(stored).not.toContain(text);
  });

  it("can be combined with other filters, also where both have an index, and with a key", async () => {
    const email = "combined@example.com";
    const tagged = { idempotencyKey: "tagged", delayMs: 60_000, tags: ["paper"] };
    const { id } = await producer.submit(letter, { email }, tagged);
    await submit("untagged", { email });
    await producer.submit(letter, { email: "other@example.com" }, { ...tagged, idempotencyKey: "other" });

    expect(await found(email)).toHaveLength(2);
    expect(await found(email, { tag: "paper" })).toEqual([id]);
    expect(await found(email, { idempotencyKey: "tagged" })).toEqual([id]);
    expect(await found("other@example.com", { idempotencyKey: "tagged" })).toEqual([]);
    expect(await found(email, { state: "failed" })).toEqual([]);
    expect(await found(email, { type: "parcel" })).toEqual([]);
  });

  it("find jobs in every partition of a queue", async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => {
        const options = { idempotencyKey: `parcel-${at}` };
        return (await producer.submit(parcel, { email: "parcels@example.com" }, options)).id;
      }),
    );
    expect(new Set(ids.map((id) => id.split("_")[0])).size).toBeGreaterThan(1);
    expect((await found("parcels@example.com")).sort()).toEqual(ids.sort());
  });

  it.each([
    ["a text that is too long", { email: "x".repeat(256) }],
    ["what is neither text nor number", { order: { id: 7 } }],
    ["too many values", { lines: Array.from({ length: 101 }, (_, at) => ({ sku: `sku-${at}` })) }],
  ])("refuse %s, and nothing is stored", async (_, payload) => {
    await expect(submit("refused", payload)).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    expect((await operator.list({ idempotencyKey: "refused", limit: 1 })).jobs).toEqual([]);
  });

  it("cost a job without any value nothing", async () => {
    const before = await redis.keys(keyOf("search*"));
    const id = await submit("without", { text: "nothing", email: "  " });
    expect(await redis.keys(keyOf("search*"))).toEqual(before);
    expect(await redis.hget(keyOf(id), "opts")).not.toContain("search");
  });

  it("work over HTTP, with the client and from the command line", async () => {
    const { url } = await service.startApi();
    const id = await submit("everywhere", { email: "everywhere@example.com" });
    const search = "Everywhere@example.com";
    const env = { ...service.env, HOLDFAST_CONFIG: CONFIG };

    expect((await get(`${url}/jobs?search=${encodeURIComponent(search)}`)).body.jobs).toMatchObject([{ id }]);
    expect((await get(`${url}/jobs?search=%20`)).status).toBe(400);
    expect((await createClient({ url }).list({ search })).jobs).toMatchObject([{ id }]);
    const listed = await run(["jobs", "list", "--search", search, "--json"], env);
    expect(listed.stdout).toContain(id);
    expect((await run(["jobs", "export", "--search", search], env)).stdout).toContain(id);
    expect((await run(["jobs", "list", "--search", " "], env)).code).toBe(2);
  });

  it("go with their job, and the sweep forgets those that BullMQ has removed", async () => {
    const id = await submit("removed", { email: "removed@example.com" });
    const before = await redis.zcard(keyOf("searches"));
    await operator.cancel(id);
    expect(await found("removed@example.com", { state: "failed" })).toEqual([id]);
    await operator.delete(id, "tests");
    expect(await found("removed@example.com")).toEqual([]);

    const many = Array.from({ length: 40 }, (_, at) => `gone-${at}@example.com`);
    for (const email of many) await producer.submit(letter, { email }, { idempotencyKey: email });
    await service.startWorker();
    await until("all but the latest are removed", async () => (await redis.zcard(keyOf("completed"))) === 1);
    const store = plainStores(redis, service.env.HOLDFAST_PREFIX).of("default");
    await until("the sweep has removed the others", async () => {
      await sweepIndex(store, { ...searchIndex, againMs: 0 });
      return (await redis.zcard(keyOf("searches"))) <= before + 1;
    });
  });
});

import { Redis } from "ioredis";
import { afterAll, describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { messagePattern } from "../../../src/core/watch/message-pattern.ts";
import { readLua } from "../../../src/platform/redis/read-lua.ts";
import { anyJob } from "../../support/application.ts";
import { createRandom } from "../../support/random.ts";
import { applicationOf, createService, testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const redis = new Redis(testEnvironment().REDIS_URL);
afterAll(() => redis.disconnect());

const messagePatternLua = readLua(import.meta.url, "../../support/fixtures/message-pattern.lua");
const inRedis = async (message: string) => await redis.eval(messagePatternLua, 0, message);

const samples: readonly (readonly [message: string, pattern: string])[] = [
  ["connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED #"],
  ["connect ECONNREFUSED ::1:6379", "connect ECONNREFUSED ::#"],
  ["getaddrinfo ENOTFOUND db.internal", "getaddrinfo ENOTFOUND db.internal"],
  ["429 Too Many Requests: retry after 17.5 s", "# Too Many Requests: retry after # s"],
  ["no user 3f2a11bc-9d41-4c1e-8a77-0123456789ab", "no user #"],
  ["no user abcdabcd-abcd-abcd-abcd-abcdabcdabcd", "no user #"],
  ["bad digest deadbeefcafe", "bad digest #"],
  ["at 2026-11-27T09:00:00.000Z", "at #"],
  ["no such file 'a b.txt', open \"/tmp/x\"", "no such file '#', open '#'"],
  ["don't send to ann@example.com", "don't send to #"],
  ["GET https://api.example.com/v1/users/42?x=1: 503", "GET # #"],
  ["order-1234 of [1, 22, 333]", "order-# of [#]"],
  ["two\n  lines\tand\r\ntabs", "two lines and tabs"],
  ["Größe 17 überschritten – “x”", "Größe # überschritten – “x”"],
  ["", "(no message)"],
  [`${"é".repeat(150)}`, "é".repeat(100)],
  ["hello #42 ^ `x` users' 'y'", "hello ## ' '#' users'#'y'"],
  ['violates unique constraint "orders_email_key"', "violates unique constraint 'orders_email_key'"],
  [
    "Cannot read properties of undefined (reading 'total')",
    "Cannot read properties of undefined (reading 'total')",
  ],
  ["column `userId` of 'ann smith'", "column 'userId' of '#'"],
  ["ORA-00001: unique constraint", "ORA-00001: unique constraint"],
  ["E11000 duplicate key: 17", "E11000 duplicate key: #"],
  ["Unique constraint failed (P2002) on 7", "Unique constraint failed (P2002) on #"],
  ["invoice INV-1001 is missing", "invoice INV-# is missing"],
  ["Request failed with status code 404", "Request failed with status code 404"],
  ["HTTP 503 after 17 ms", "HTTP 503 after # ms"],
  ["no such customer: cus_9s8Df7", "no such customer: cus_#"],
  ["no such charge: ch_3MmlLrLkdIwHu7ix", "no such charge: ch_#"],
];

describe("the pattern of a message", () => {
  it.each(samples)("of %j", async (message, pattern) => {
    expect(messagePattern(message)).toBe(pattern);
    expect(await inRedis(message)).toBe(pattern);
  });

  it("is the same in Redis and in Node.js for random texts", async () => {
    const random = createRandom(1);
    const parts = [
      ..."abzAFZ019_-.:/+#'\"`^@<>()[],%~ \n\t\r\u0000éß–😀",
      "://",
      "deadbeef",
      "a1b2c3d4-",
      "12:30",
      " word ",
      "x@y.z",
      "AB-1234:",
      "(P2002)",
      "code 404",
      "cus_9x",
      "'a_b'",
      "reading 'c'",
      "\u00ff",
    ];
    for (let round = 0; round < 2_000; round += 1) {
      const length = round % 50 === 0 ? random.between(200, 900) : random.between(0, 60);
      const message = Array.from({ length }, () => random.pick(parts)).join("");
      expect(await inRedis(message), JSON.stringify(message)).toBe(messagePattern(message));
    }
  });
});

const CALLS = 30;
const LIMITED = 10;
const KEY = `2026:${Buffer.alloc(32, 7).toString("base64")}`;

/** Fails with its payload as the message. */
const failing = anyJob({ type: "failing", retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } } });
const handler = failing.handler(async ({ payload }) => {
  throw new Error(String(payload));
});

const messages = [
  ...Array.from({ length: CALLS }, (_, at) => `connect ECONNREFUSED 10.0.0.${at}:${at + 1_000}`),
  ...Array.from({ length: LIMITED }, (_, at) => `429: try again in ${at} s`),
];

describe.each([
  ["in the clear", {}],
  ["encrypted", { HOLDFAST_ENCRYPTION_KEYS: KEY }],
])("failed jobs, their messages %s", (_, variables) => {
  it("are grouped by their message's pattern, by which they can be listed", async () => {
    const application = applicationOf(handler);
    const service = createService(application, variables);
    const producer = await service.createProducer();
    const operator = await service.createOperator();
    const payloads = messages.map((payload, at) => ({ payload, idempotencyKey: `${at}` }));
    await producer.submitMany(failing, payloads);
    await service.startWorker();
    await until("all have failed", async () => (await operator.failures()).scanned === messages.length);

    const { groups } = await operator.failures();
    expect(groups).toMatchObject([
      { code: "HANDLER_FAILED", messagePattern: "connect ECONNREFUSED #", count: CALLS },
      { code: "HANDLER_FAILED", messagePattern: "#: try again in # s", count: LIMITED },
    ]);
    expect(groups.map(({ lastDay }) => lastDay.at(-1))).toEqual([CALLS, LIMITED]);
    for (const { messagePattern: pattern, count } of groups) {
      const { jobs } = await operator.list({ messagePattern: pattern ?? "", limit: 200 });
      expect(jobs).toHaveLength(count);
      expect(jobs.every(({ error }) => messagePattern(error?.message ?? "") === pattern)).toBe(true);
    }
  });
});

describe.each([
  ["in the clear", {}],
  ["encrypted", { HOLDFAST_ENCRYPTION_KEYS: KEY }],
])("what has failed only since the newest version came, messages %s", (_, variables) => {
  it("is marked and can be filtered; what was seen before is not, though its jobs are gone", async () => {
    const before = createService(applicationOf(handler), {
      ...variables,
      HOLDFAST_APPLICATION_VERSION: "1f0c",
    });
    const after = createService(applicationOf(handler), {
      ...before.env,
      HOLDFAST_APPLICATION_VERSION: "2a9e",
    });
    const [producer, operator, { url }] = await Promise.all([
      before.createProducer(),
      before.createOperator(),
      before.startApi(),
    ]);
    const fail = async (message: string, key: string) => {
      const { id } = await producer.submit(failing, message, { idempotencyKey: key });
      await until(`${key} has failed`, async () => (await operator.detail(id))?.state === "failed");
      return id;
    };
    const worker = await before.startWorker();
    await operator.delete(await fail("no user 17", "old"), "ops-night");
    await worker.stop();
    await after.startWorker();
    await until("the new worker is seen", async () =>
      (await operator.overview()).workers.some(({ version }) => version === "2a9e"),
    );
    await fail("no user 18", "old again");
    await fail("no invoice 4", "new");

    const { groups } = await operator.failures();
    expect(groups.map(({ messagePattern, newSince }) => [messagePattern, newSince?.version]).sort()).toEqual([
      ["no invoice #", "2a9e"],
      ["no user #", undefined],
    ]);
    const answer = await fetch(`${url}/failures?new=true`);
    expect(await answer.json()).toMatchObject({ groups: [{ messagePattern: "no invoice #" }] });
  });

  it("is nothing where workers say no version", async () => {
    const service = createService(applicationOf(handler), variables);
    const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
    await service.startWorker();
    const { id } = await producer.submit(failing, "it broke", { idempotencyKey: "one" });
    await until("it has failed", async () => (await operator.detail(id))?.state === "failed");
    expect((await operator.failures()).groups).toMatchObject([{ newSince: null }]);
  });
});

describe("the trend of a group", () => {
  it("counts its jobs by the hour in which they failed, for a day", async () => {
    const service = createService(applicationOf(handler));
    const producer = await service.createProducer();
    const operator = await service.createOperator();
    const payloads = ["now", "earlier", "before"].map((key) => ({ payload: "late", idempotencyKey: key }));
    const receipts = await producer.submitMany(failing, payloads);
    await service.startWorker();
    await until("all have failed", async () => (await operator.failures()).scanned === payloads.length);
    const { failed } = queueKeys(service.env.HOLDFAST_PREFIX, "default");
    const redis = service.connect();
    for (const [index, hoursAgo] of [3.5, 24.5].entries())
      await redis.zadd(failed, Date.now() - hoursAgo * 3_600_000, (receipts[index + 1] as { id: string }).id);

    // Another one: times do not change, so nobody reads them again.
    const { groups } = await (await service.createOperator()).failures();

    const hours = Array.from({ length: 24 }, (_, hour) => Number(hour === 20 || hour === 23));
    expect(groups).toMatchObject([{ count: payloads.length, lastDay: hours }]);
  });
});

describe("when groups were counted", () => {
  it("bounds an act to the jobs that were: what fails later stays failed", async () => {
    const service = createService(applicationOf(handler));
    const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
    await service.startWorker();
    const fail = async (key: string) => {
      const { id } = await producer.submit(failing, "it broke", { idempotencyKey: key });
      await until(`${key} has failed`, async () => (await operator.detail(id))?.state === "failed");
      return id;
    };
    const early = await fail("early");
    const { at, groups } = await operator.failures();
    expect(groups).toMatchObject([{ count: 1 }]);
    // Redis's clock must have gone past it.
    await until("it is later", async () => Date.parse((await operator.failures()).at) > Date.parse(at));
    const late = await fail("late");

    const act = { act: "retry", filter: { type: "failing" }, reason: "what was seen" } as const;
    const { id } = await operator.acts.start({ ...act, before: Date.parse(at) }, "ops-night");
    await until("the act has ended", async () => (await operator.acts.read(id)).endedAt !== null);

    expect(await operator.acts.read(id)).toMatchObject({ state: "done", total: 1, done: 1 });
    const retried = async (job: string) => (await operator.detail(job))?.record.map(({ as }) => as);
    expect(await retried(early)).toEqual(["retried"]);
    expect(await retried(late)).toEqual([]);
  });
});

/** Turning encryption on, rotating its keys and turning it off, while old and new processes run beside each other. */

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createProducer, type Producer, startScheduler } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { keyIdOf } from "../../../src/platform/redis/encryption/codec.ts";
import { encryptionKeys } from "../../../src/platform/redis/encryption/keys-in-use.ts";
import { anyJob, echo, application as fixtures } from "../../support/application.ts";
import { charge, chargedKey, chargeHandler } from "../../support/fixtures/rollout.config.ts";
import { type Answer, get, post } from "../../support/http.ts";
import { launch, launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { createRandom } from "../../support/random.ts";
import { applicationOf, createService, testEnvironment, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const newKey = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
const [first, second] = [newKey("first"), newKey("second")];
const differ = { code: "ENCRYPTION_KEYS_DIFFER" };

/** In the order of docs/secure.md: on, rotated, off. */
const steps = [
  "",
  `plain,${first}`,
  first,
  `${first},${second}`,
  `${second},${first}`,
  `plain,${second},${first}`,
];

const cards = ["anna@example.com", "li@example.com", "maria@example.com"];

// A job that cannot be read is left alone for ten seconds, and a deploy has its pace: they wait together.
describe.concurrent("a rolling deploy", () => {
  it(
    "turns encryption on, rotates the key and turns it off without one repeated effect or unreadable job",
    withProcesses,
    async () => {
      const env = testEnvironment({
        HOLDFAST_CONFIG: fileURLToPath(new URL("../../support/fixtures/rollout.config.ts", import.meta.url)),
      });
      const service = createService(applicationOf(chargeHandler(async () => {})), env);
      const start = (role: "api" | "worker", keys = "") =>
        launchRole(role, { ...env, HOLDFAST_ENCRYPTION_KEYS: keys });
      const failures: unknown[] = [];
      const ids: string[] = [];
      let [api, worker] = await Promise.all([start("api"), start("worker")]);
      let urls = [urlOf(api)];
      const load = new AbortController();
      const random = createRandom(1);

      /** Repeatedly submits a job and reads an earlier one. */
      async function use() {
        while (!load.signal.aborted) {
          await sleep(50); // the pace of the load
          const url = random.pick(urls);
          const number = ids.push("") - 1;
          const submission = { type: "charge", payload: { cards }, idempotencyKey: `order ${number}` };
          // A busy machine may need longer than an answer may take: the same key is safe to send again.
          const accepted = await answered(() => post(`${url}/jobs`, submission));
          ids[number] = accepted.body.id;
          const earlier = ids[Math.floor(random.next() * number)] || accepted.body.id;
          const read = await answered(() => get(`${url}/jobs/${earlier}/status`));
          const { error } = read.body as { error?: { code: string } | null };
          const isRight = accepted.status < 300 && read.status === 200 && error?.code !== "DECRYPTION_FAILED";
          if (!isRight) failures.push({ accepted: accepted.body, read: read.body });
        }
      }
      const using = use();
      const used = async (times: number) => {
        const before = ids.length;
        await until("the load has used it", () => ids.length >= before + times);
      };

      await used(10);
      for (const keys of steps.slice(1)) {
        const [oldApi, oldWorker] = [api, worker];
        [api, worker] = await Promise.all([start("api", keys), start("worker", keys)]);
        urls = [urlOf(oldApi), urlOf(api)];
        await used(20);
        urls = [urlOf(api)];
        await used(5); // calls to the old one have been made
        for (const old of [oldApi, oldWorker]) old.kill("SIGTERM");
        expect(await Promise.all([oldApi.ended, oldWorker.ended])).toMatchObject([{ code: 0 }, { code: 0 }]);
      }
      await used(10);
      load.abort();
      await using;

      expect(failures).toEqual([]);
      const producer = await createService(applicationOf(chargeHandler(async () => {})), {
        ...env,
        HOLDFAST_ENCRYPTION_KEYS: steps.at(-1) ?? "",
      }).createProducer();
      for (const id of ids)
        expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
          state: "completed",
          result: { charged: cards },
        });
      const charged = await service.connect().lrange(chargedKey(env.HOLDFAST_PREFIX), 0, -1);
      expect(new Set(charged).size).toBe(charged.length);
      expect(charged).toHaveLength(ids.length * cards.length);
    },
  );

  it(
    "that skips a step does not start the new processes, and the old ones go on",
    withProcesses,
    async () => {
      const env = testEnvironment();
      const [api] = await Promise.all([launchRole("api", env), launchRole("worker", env)]);

      const hasty = launch(["worker"], {
        ...env,
        HOLDFAST_LOG_LEVEL: "info",
        HOLDFAST_ENCRYPTION_KEYS: first,
      });

      const { code, stderr } = await hasty.ended;
      expect(code).toBe(1);
      expect(stderr).toContain("The encryption keys do not fit");
      expect(stderr).toContain("behind `plain`");
      const { body } = await post(`${urlOf(api)}/jobs`, { type: "echo", payload: 1, idempotencyKey: "k" });
      await until("the job is done", async () => {
        const status = await get(`${urlOf(api)}/jobs/${body.id}/status`);
        return status.body.state === "completed";
      });
    },
  );
});

describe.concurrent("a worker that finds out later that its keys do not fit", () => {
  it("stops working, says so, and leaves jobs to those that have the key", async () => {
    const service = createService(fixtures);
    const { env } = service;
    await service.startWorker();
    const { url } = await service.startApi();
    // As if these processes had been paused for long.
    await service.connect().del(...Object.values(encryptionKeys(env.HOLDFAST_PREFIX)));
    const encrypting = createService(fixtures, { ...env, HOLDFAST_ENCRYPTION_KEYS: first });
    const producer = await encrypting.createProducer();
    const { id } = await producer.submit(echo, "secret", { idempotencyKey: "k" });

    await until("it is not ready", async () => {
      const { status, body } = await get(`${url}/health/ready`);
      return status === 503 && JSON.stringify(body).includes("HOLDFAST_ENCRYPTION_KEYS");
    });
    await until("it accepts nothing", async () => {
      const { body } = await post(`${url}/jobs`, { type: "echo", payload: 1, idempotencyKey: "l" });
      return body.code === "ENCRYPTION_KEYS_DIFFER";
    });
    expect(await producer.status(id)).not.toMatchObject({ state: "failed" });
    await encrypting.startWorker();
    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ result: "secret" });
  });

  it("begins no effect again whose index another key has encrypted, even where nothing is known of the key", async () => {
    const charged: string[] = [];
    const application = applicationOf(chargeHandler(async (text) => charged.push(text)));
    const encrypting = createService(application, { HOLDFAST_ENCRYPTION_KEYS: first });
    const worker = await encrypting.startWorker();
    const plain = createService(application, encrypting.env);
    const { env } = plain;
    const store = plain.connect();
    const producer = await createService(application, {
      ...env,
      HOLDFAST_ENCRYPTION_KEYS: `plain,${first}`,
    }).createProducer();
    const { id } = await producer.submit(charge, { cards }, { idempotencyKey: "k" });
    await until("it has begun", () => charged.length > 0);
    await worker.stop();
    await store.del(...Object.values(encryptionKeys(env.HOLDFAST_PREFIX)));
    // Only now: its payload is readable, and its ledger is not.
    const without = await createService(application, { ...env, HOLDFAST_ENCRYPTION_KEYS: "" }).startWorker();
    await until("it was deferred", async () => (await producer.status(id))?.nextAttemptAt !== null);
    await without.stop();
    await store.del(...Object.values(encryptionKeys(env.HOLDFAST_PREFIX)));
    await createService(application, { ...env, HOLDFAST_ENCRYPTION_KEYS: first }).startWorker();

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ state: "completed" });
    expect(charged).toEqual(cards.map((card) => `k/${card}`));
  });
});

function answered(call: () => Promise<Answer>): Promise<Answer> {
  return until("Redis answers in time", async () => {
    const answer = await call();
    return answer.body.code !== "STORE_UNAVAILABLE" && answer;
  });
}

/** Whether processes with these keys may run beside each other: each has what the other encrypts with. */
function mayMeet(keys: string, others: string): boolean {
  const encryptsWith = (list: string) => list.split(",")[0] ?? "";
  const has = (list: string, entry: string) =>
    ["", "plain"].includes(entry) || list.split(",").includes(entry);
  return has(keys, encryptsWith(others)) && has(others, encryptsWith(keys));
}

const pairs = steps.flatMap((old) => steps.map((next) => [steps.indexOf(old), steps.indexOf(next)] as const));

describe("two workers beside each other, the one at step %i, the other at step %i", () => {
  it.each(pairs)("%i and %i: charge each card once, or do not run together", async (one, other) => {
    const charged: string[] = [];
    const application = applicationOf(chargeHandler(async (text) => charged.push(text)));
    const env = testEnvironment();
    const [oneService, otherService] = [one, other].map((step) =>
      createService(application, { ...env, HOLDFAST_ENCRYPTION_KEYS: steps[step] ?? "" }),
    ) as [ReturnType<typeof createService>, ReturnType<typeof createService>];
    await oneService.startWorker();
    const producers = [await oneService.createProducer()];
    if (!mayMeet(steps[one] ?? "", steps[other] ?? "")) {
      await expect(otherService.startWorker()).rejects.toMatchObject(differ);
    } else {
      await otherService.startWorker();
      producers.push(await otherService.createProducer());
    }

    const jobs: { producer: Producer; id: string }[] = [];
    for (const [at, submitting] of producers.entries())
      for (const number of [1, 2, 3]) {
        const { id } = await submitting.submit(charge, { cards }, { idempotencyKey: `${at}-${number}` });
        for (const producer of producers) jobs.push({ producer, id });
      }

    for (const { producer, id } of jobs)
      expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
        state: "completed",
        result: { charged: cards },
      });
    expect(charged).toHaveLength(producers.length * 3 * cards.length);
    expect(new Set(charged).size).toBe(charged.length);
  });
});

describe("a process whose keys do not fit", () => {
  const roles = {
    worker: startWorker,
    API: startApi,
    scheduler: startScheduler,
    producer: createProducer,
  };

  it.each(Object.entries(roles))("does not start as %s where others encrypt", async (_, start) => {
    const service = createService(fixtures, { HOLDFAST_ENCRYPTION_KEYS: first });
    await service.createProducer();

    await expect(start(fixtures, { ...service.env, HOLDFAST_ENCRYPTION_KEYS: "" })).rejects.toMatchObject(
      differ,
    );
    await expect(
      start(fixtures, { ...service.env, HOLDFAST_ENCRYPTION_KEYS: newKey("first") }),
    ).rejects.toMatchObject({ message: expect.stringContaining('"first", whose bytes differ') });
  });

  it.each(Object.entries(roles))(
    "does not begin to encrypt as %s while others lack its key",
    async (_, start) => {
      const service = createService(fixtures);
      const producer = await service.createProducer();
      const encrypting = { ...service.env, HOLDFAST_ENCRYPTION_KEYS: first };

      await expect(start(fixtures, encrypting)).rejects.toMatchObject(differ);

      await producer.stop();
      const started = await start(fixtures, encrypting);
      await started.stop();
    },
  );

  it("may start when nothing was encrypted with the missing key for the retention", async () => {
    const service = createService(fixtures, {
      HOLDFAST_ENCRYPTION_KEYS: first,
      HOLDFAST_RETENTION_MS: "1000",
    });
    const encrypting = await service.createProducer();
    await encrypting.submit(echo, 1, { idempotencyKey: "k" });
    await encrypting.stop();
    const off = { ...service.env, HOLDFAST_ENCRYPTION_KEYS: `plain,${first}` };
    const plain = await createService(fixtures, off).createProducer();
    await plain.submit(echo, 1, { idempotencyKey: "k" });
    await plain.stop();

    const without = { ...service.env, HOLDFAST_ENCRYPTION_KEYS: "" };
    const producer = await until("it starts", () => createProducer(fixtures, without).catch(() => undefined));

    expect(await producer.submit(echo, 2, { idempotencyKey: "l" })).toMatchObject({ duplicate: false });
    await producer.stop();
  });
});

it("a queue without submissions loses nothing when the key of its secret is taken away", async () => {
  const quiet = anyJob({ type: "quiet", queue: "quiet" });
  const application = applicationOf(
    echo.handler(async () => null),
    quiet.handler(async () => null),
  );
  const service = createService(application, { HOLDFAST_ENCRYPTION_KEYS: first });
  const producer = await service.createProducer();
  const accepted = await producer.submit(quiet, 1, { idempotencyKey: "k" });
  await producer.stop();
  const rotated = { ...service.env, HOLDFAST_ENCRYPTION_KEYS: `${second},${first}` };
  const busy = await createService(application, rotated).createProducer();
  await busy.submit(echo, 1, { idempotencyKey: "k" });
  const { fingerprintSecret } = queueKeys(service.env.HOLDFAST_PREFIX, "quiet");
  const store = service.connect();
  await until(
    "the secret is encrypted with the new key",
    async () => keyIdOf((await store.get(fingerprintSecret)) ?? "") === "second",
  );
  await busy.stop();
  await store.del(...Object.values(encryptionKeys(service.env.HOLDFAST_PREFIX)));

  const after = await createService(application, {
    ...service.env,
    HOLDFAST_ENCRYPTION_KEYS: second,
  }).createProducer();

  expect(await after.submit(quiet, 1, { idempotencyKey: "k" })).toEqual({ ...accepted, duplicate: true });
});

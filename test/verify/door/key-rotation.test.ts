import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { keyIdOf } from "../../../src/platform/redis/encryption/codec.ts";
import { fingerprintSecretKey } from "../../../src/platform/redis/encryption/shared-secret.ts";
import { application } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { createRandom } from "../../support/random.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const newKey = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
const [oldKey, key] = [newKey("old"), newKey("new")];

const PACE_MS = 10;

/** In the order of docs/secure.md: every process knows a key before anything is encrypted with it. */
const steps = [oldKey, `${oldKey},${key}`, `${key},${oldKey}`];

it("keys are rotated under load without one failed submission or read", withProcesses, async () => {
  const service = createService(application);
  const start = (role: "api" | "worker", keys: string) =>
    launchRole(role, { ...service.env, HOLDFAST_ENCRYPTION_KEYS: keys });
  const ids: string[] = [];
  const failures: unknown[] = [];
  let [api, worker] = await Promise.all([start("api", steps[0] ?? ""), start("worker", steps[0] ?? "")]);
  let urls = [urlOf(api)];
  const random = createRandom(1);
  const anyUrl = () => random.pick(urls);
  const load = new AbortController();

  /** Repeatedly submits a job, reads it, and repeats an earlier submission. */
  async function use() {
    while (!load.signal.aborted) {
      // Not at full speed, because processes that start need the machine, too.
      await sleep(PACE_MS);
      const n = ids.push("") - 1;
      const submit = (number: number) =>
        post(`${anyUrl()}/jobs`, { type: "echo", payload: { number }, idempotencyKey: `job ${number}` });
      const accepted = await submit(n);
      ids[n] = accepted.body.id;
      const earlier = Math.floor(random.next() * n);
      const repeated = ids[earlier] === "" ? accepted : await submit(earlier);
      const read = await get(`${anyUrl()}/jobs/${accepted.body.id}/status`);
      const isRight =
        accepted.status === 202 &&
        (repeated === accepted || (repeated.status === 200 && repeated.body.id === ids[earlier])) &&
        read.status === 200 &&
        read.body.error === null;
      if (!isRight) failures.push({ accepted, repeated, read });
    }
  }
  const using = [use(), use()];

  const used = async (times: number) => {
    const before = ids.length;
    await until("the load has used it", () => ids.length >= before + times);
  };

  await used(20);
  for (const keys of steps.slice(1)) {
    // One by one: old and new processes coexist, and each reads what the others have encrypted.
    const [oldApi, oldWorker] = [api, worker];
    api = await start("api", keys);
    urls = [urlOf(oldApi), urlOf(api)];
    await used(20);
    urls = [urlOf(api)];
    await used(5); // calls to the old one have been made
    oldApi.kill("SIGTERM");
    worker = await start("worker", keys);
    await used(20);
    oldWorker.kill("SIGTERM");
    expect(await Promise.all([oldApi.ended, oldWorker.ended])).toMatchObject([{ code: 0 }, { code: 0 }]);
  }
  await used(20);
  load.abort();
  await Promise.all(using);

  expect(failures).toEqual([]);
  const producer = await createService(application, {
    ...service.env,
    HOLDFAST_ENCRYPTION_KEYS: steps.at(-1) ?? "",
  }).createProducer();
  const ended = await Promise.all(ids.map((id) => untilState(producer, id, "completed", "failed")));
  expect(ended.filter(({ state, attemptsMade }) => state === "failed" || attemptsMade > 1)).toEqual([]);
  expect(ended.map(({ result }) => result)).toEqual(ids.map((_, number) => ({ number })));
  const store = service.connect();
  const keyOf = async (id: string | undefined) => {
    const data = await store.hget(queueKey(service.env.HOLDFAST_PREFIX, "default", id ?? ""), "data");
    return keyIdOf(JSON.parse(data ?? "") as string);
  };
  expect([await keyOf(ids[0]), await keyOf(ids.at(-1))]).toEqual(["old", "new"]);
  const secret = await store.get(fingerprintSecretKey(service.env.HOLDFAST_PREFIX));
  expect(keyIdOf(secret ?? "")).toBe("new");
});

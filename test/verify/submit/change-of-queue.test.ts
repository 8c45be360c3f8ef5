import { fileURLToPath } from "node:url";
import {
  createOperator,
  defineConfig,
  defineJob,
  defineSchedule,
  type Producer,
  startScheduler,
} from "holdfast";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { onFailpoint } from "../../../src/core/failpoints.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { diagnose } from "../../../src/desk/doctor/doctor.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import type { Finding } from "../../../src/platform/errors/finding.ts";
import { get, post } from "../../support/http.ts";
import { runProcess, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import {
  createService,
  type Service,
  testEnvironment,
  untilState,
  type Variables,
} from "../../support/service.ts";
import { until } from "../../support/until.ts";

interface Version {
  readonly queue: string;
  readonly formerQueues?: readonly string[];
}

/** One version of an application that charges orders, and its charges. */
function versionOf({ queue, formerQueues = [] }: Version, charged: string[]) {
  const order = defineJob({
    type: "order",
    payload: z.strictObject({ cents: z.int() }),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } },
    timeoutMs: 10_000,
    effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
    queue,
    formerQueues,
  });
  const everySecond = defineSchedule({
    name: "every-second",
    everyMs: 1_000,
    job: order,
    payload: () => ({ cents: 1 }),
    catchUp: { mode: "all", max: 30, windowMs: 30_000 },
  });
  const handler = order.handler(async ({ effect }) => {
    await effect("charge", async ({ key }) => void charged.push(key));
    return {};
  });
  return {
    order,
    application: defineConfig({ jobs: [order], handlers: async () => [handler], schedules: [everySecond] }),
  };
}

/** Versions of one application on one Redis. */
function deploy(variables: Variables = {}) {
  const charged: string[] = [];
  let env = variables;
  return {
    charged,
    version(version: Version) {
      const { order, application } = versionOf(version, charged);
      const service = createService(application, env);
      env = service.env;
      const submit = (producer: Producer, key: string, cents = 1) =>
        producer.submit(order, { cents }, { idempotencyKey: key });
      return { order, application, service, submit };
    },
  };
}

const before: Version = { queue: "orders" };
const undeclared: Version = { queue: "orders-2" };
const after: Version = { queue: "orders-2", formerQueues: ["orders"] };
const back: Version = { queue: "orders", formerQueues: ["orders-2"] };

afterEach(() => onFailpoint(async () => {}));

/** As if the producer had been killed after it claimed the key and before it added the job. */
async function killedBetweenClaimAndJob(submit: () => Promise<unknown>): Promise<void> {
  onFailpoint(async (point) => {
    if (point === "submit:claimed") throw new Error("killed");
  });
  await expect(submit()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  onFailpoint(async () => {});
}

/** Lets this many submissions claim the key before any of them adds its job. */
function allClaimFirst(many: number): void {
  let release = () => {};
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = 0;
  onFailpoint(async (point) => {
    if (point !== "submit:claimed") return;
    arrived += 1;
    if (arrived === many) release();
    await all;
  });
}

async function jobsIn(service: Service, ...queues: string[]): Promise<number[]> {
  const counts = queues.map((name) => service.openBareQueue(name).getJobCounts());
  return (await Promise.all(counts)).map((states) => Object.values(states).reduce((sum, many) => sum + many));
}

async function untilCompleted(producer: Producer, ids: Iterable<string>): Promise<void> {
  for (const id of ids) await untilState(producer, id, "completed");
}

describe("a contract whose queue has changed", () => {
  it("does not start undeclared: the error names both queues, the line to add and the page", async () => {
    const { version } = deploy();
    const old = version(before);
    await old.submit(await old.service.createProducer(), "k");
    const { service, application } = version(undeclared);
    const refusal = {
      code: "QUEUE_CHANGED",
      message: expect.stringMatching(
        /job "order".*"orders-2".*"orders".*formerQueues: \["orders"\].*docs\/change-a-queue\.md/,
      ),
    };

    await expect(service.createProducer()).rejects.toMatchObject(refusal);
    await expect(service.startApi()).rejects.toMatchObject(refusal);
    await expect(service.startWorker()).rejects.toMatchObject(refusal);
    await expect(startScheduler(application, service.env)).rejects.toMatchObject(refusal);
    expect(await jobsIn(service, "orders", "orders-2")).toEqual([1, 0]);
  });

  it("includes already declared former queues in that line", async () => {
    const { version } = deploy();
    const old = version(after);
    await old.submit(await old.service.createProducer(), "k");
    const { service } = version({ queue: "orders-3", formerQueues: ["orders"] });

    await expect(service.createProducer()).rejects.toThrow('formerQueues: ["orders", "orders-2"]');
  });

  it("starts beside the old version, which is refused only after the new one has submitted", async () => {
    const { version } = deploy();
    const [old, next] = [version(before), version(after)];
    await old.submit(await old.service.createProducer(), "k");

    await next.service.startWorker();
    const producer = await next.service.createProducer();
    await old.service.createProducer();
    await next.submit(producer, "k");

    await expect(old.service.createProducer()).rejects.toMatchObject({ code: "QUEUE_CHANGED" });
    await expect(next.service.createProducer()).resolves.toBeDefined();
    await expect(version(back).service.createProducer()).resolves.toBeDefined();
  });

  it("stays changed even if an old process first submits after the new one", async () => {
    const { version } = deploy();
    const [old, next] = [version(before), version(after)];
    const producers = [await old.service.createProducer(), await next.service.createProducer()] as const;

    await next.submit(producers[1], "first");
    await old.submit(producers[0], "second");

    await expect(old.service.createProducer()).rejects.toMatchObject({ code: "QUEUE_CHANGED" });
  });
});

describe("a key that was used before the change", () => {
  it("gets the first job's id, without a new job or effect; other content is refused", async () => {
    const { version, charged } = deploy();
    const old = version(before);
    const first = await old.submit(await old.service.createProducer(), "k");
    const { service, submit } = version(after);
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await service.startWorker();
    await untilState(producer, first.id, "completed");

    const again = await post(`${url}/jobs`, { type: "order", payload: { cents: 1 }, idempotencyKey: "k" });
    const batch = await post(`${url}/jobs/batch`, {
      jobs: [1, 2].map((cents) => ({ type: "order", payload: { cents }, idempotencyKey: "k" })),
    });

    expect(again).toMatchObject({ status: 200, body: { id: first.id, duplicate: true } });
    expect(batch.body.results).toMatchObject([
      { status: 200, id: first.id, duplicate: true },
      { status: 422, code: "IDEMPOTENCY_KEY_REUSED" },
    ]);
    await expect(submit(producer, "k", 2)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    expect(await jobsIn(service, "orders", "orders-2")).toEqual([1, 0]);
    expect(charged).toHaveLength(1);
  });

  it("finds its job by the key, in lists and over HTTP", async () => {
    const { version } = deploy();
    const old = version(before);
    const { id } = await old.submit(await old.service.createProducer(), "k");
    const { service, submit } = version(after);
    const { url } = await service.startApi();
    const other = await submit(await service.createProducer(), "new");

    expect((await get(`${url}/jobs?idempotencyKey=k`)).body).toMatchObject({ jobs: [{ id }] });
    expect((await get(`${url}/jobs?state=waiting`)).body).toMatchObject({ jobs: [{ id: other.id }, { id }] });
    const operator = await createOperator(old.application, service.env);
    onTestFinished(() => operator.stop());
    expect(await operator.list({ idempotencyKey: "new", limit: 1 })).toMatchObject({
      jobs: [{ id: other.id }],
    });
  });

  it("is forgotten after the retention, as without a change", async () => {
    const { version } = deploy({ HOLDFAST_RETENTION_MS: "1000" });
    const { service, submit } = version(after);
    const producer = await service.createProducer();
    const first = await submit(producer, "k");

    await until("the key is forgotten", async () => (await submit(producer, "k")).id !== first.id);

    expect(await jobsIn(service, "orders", "orders-2")).toEqual([0, 2]);
  });
});

describe("two versions of an application, each with its own queue for a type", () => {
  it("make one job and one effect for each key, whichever comes first", async () => {
    const { version, charged } = deploy();
    const [old, next] = [version(before), version(after)];
    const producers = [await old.service.createProducer(), await next.service.createProducer()] as const;
    const keys = Array.from({ length: 100 }, (_, index) => `k-${index}`);

    const receipts = await Promise.all(
      keys.flatMap((key, index) => {
        const both = [() => old.submit(producers[0], key), () => next.submit(producers[1], key)];
        return (index % 2 === 0 ? both : both.reverse()).map((submit) => submit());
      }),
    );

    const ids = new Set(receipts.map(({ id }) => id));
    expect(ids.size).toBe(keys.length);
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(keys.length);
    await next.service.startWorker();
    await untilCompleted(producers[0], ids);
    expect(charged).toHaveLength(keys.length);
    expect(new Set(charged).size).toBe(keys.length);
  });

  it.each([
    ["the same version", after],
    ["the old version", before],
  ])(
    "lose nothing when a producer is killed between claim and job: %s adds that job",
    async (_, finisher) => {
      const { version, charged } = deploy();
      const next = version(after);
      const other = version(finisher);
      const producer = await other.service.createProducer();
      const doomed = await next.service.createProducer();
      await killedBetweenClaimAndJob(() => next.submit(doomed, "k"));
      expect(await jobsIn(next.service, "orders", "orders-2")).toEqual([0, 0]);

      await expect(other.submit(producer, "k", 2)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
      const receipts = await Promise.all([1, 2, 3].map(() => other.submit(producer, "k")));

      const [{ id } = { id: "" }] = receipts;
      expect(id).toMatch(/^orders-2_/);
      expect(new Set(receipts.map((receipt) => receipt.id)).size).toBe(1);
      expect(await jobsIn(next.service, "orders", "orders-2")).toEqual([0, 1]);
      expect(await next.submit(doomed, "k")).toEqual({ ...receipts[0], duplicate: true });
      await next.service.startWorker();
      await untilState(producer, id, "completed");
      expect(charged).toHaveLength(1);
    },
  );

  it("add the job of a claimed key once, even if its producer was only slow", async () => {
    const { version } = deploy();
    const [old, next] = [version(before), version(after)];
    const producers = [await old.service.createProducer(), await next.service.createProducer()] as const;
    await old.submit(producers[0], "else");
    let goOn = () => {};
    const claimed = new Promise<void>((resolve) => {
      onFailpoint(async (point) => {
        if (point !== "submit:claimed") return;
        resolve();
        await new Promise<void>((release) => {
          goOn = release;
        });
      });
    });
    const slow = next.submit(producers[1], "k");
    await claimed;

    const quick = await old.submit(producers[0], "k");
    goOn();

    expect((await slow).id).toBe(quick.id);
    expect(await jobsIn(next.service, "orders", "orders-2")).toEqual([1, 1]);
  });

  it("agree even if each names the other's queue as former, and both have claimed the key", async () => {
    const { version, charged } = deploy();
    const [next, undone] = [version(after), version(back)];
    const producers = [await next.service.createProducer(), await undone.service.createProducer()] as const;
    allClaimFirst(2);

    const receipts = await Promise.all([next.submit(producers[0], "k"), undone.submit(producers[1], "k")]);

    const [{ id }] = receipts;
    expect(receipts[1].id).toBe(id);
    expect(await next.submit(producers[0], "k")).toMatchObject({ id, duplicate: true });
    expect(await undone.submit(producers[1], "k")).toMatchObject({ id, duplicate: true });
    expect((await jobsIn(next.service, "orders", "orders-2")).sort()).toEqual([0, 1]);
    await undone.service.startWorker();
    await untilState(producers[0], id, "completed");
    expect(charged).toHaveLength(1);
  });

  it("agree if both were killed between claim and job, and one returns", async () => {
    const { version } = deploy();
    const [next, undone] = [version(after), version(back)];
    const producers = [await next.service.createProducer(), await undone.service.createProducer()] as const;
    await killedBetweenClaimAndJob(async () => {
      const results = await Promise.allSettled([
        next.submit(producers[0], "k"),
        undone.submit(producers[1], "k"),
      ]);
      throw results.map((result) => result.status === "rejected" && result.reason)[0];
    });

    const receipts = [await next.submit(producers[0], "k"), await undone.submit(producers[1], "k")] as const;

    expect(receipts[1].id).toBe(receipts[0].id);
    expect((await jobsIn(next.service, "orders", "orders-2")).sort()).toEqual([0, 1]);
  });

  it("agree in a second change, too", async () => {
    const { version } = deploy();
    const versions = [
      version(after),
      version({ queue: "a-3", formerQueues: ["orders", "orders-2"] }),
    ] as const;
    const producers = [
      await versions[0].service.createProducer(),
      await versions[1].service.createProducer(),
    ] as const;
    const keys = Array.from({ length: 50 }, (_, index) => `k-${index}`);

    const receipts = await Promise.all(
      keys.flatMap((key) => [versions[0].submit(producers[0], key), versions[1].submit(producers[1], key)]),
    );

    expect(new Set(receipts.map(({ id }) => id)).size).toBe(keys.length);
    const jobs = await jobsIn(versions[0].service, "orders", "orders-2", "a-3");
    expect(jobs.reduce((sum, many) => sum + many)).toBe(keys.length);
  });

  it("do not repeat a job whose key is remembered longer in the former queue than in the new one", async () => {
    const { version, charged } = deploy();
    const { service, submit } = version(after);
    const producer = await service.createProducer();
    const { id } = await submit(producer, "k");
    await service.startWorker();
    const ended = await untilState(producer, id, "completed");
    const dedupKey = dedupKeyOf("order", "k");
    await service.connect().del(queueKeys(service.env.HOLDFAST_PREFIX, "orders-2").dedupKey(dedupKey));

    expect(await submit(producer, "k")).toMatchObject({ id, duplicate: true });
    expect(await producer.status(id)).toEqual(ended);
    expect(charged).toHaveLength(1);
  });
});

describe("a schedule whose job has changed its queue", () => {
  it("does not catch up ticks that already ran, and shows which job ran them", async () => {
    const { version, charged } = deploy();
    const old = version(before);
    const producer = await old.service.createProducer();
    const first = await startScheduler(old.application, old.service.env);
    const ticked = async () => (await jobsIn(old.service, "orders"))[0] ?? 0;
    const caughtUp = await until("ticks are caught up", async () => (await ticked()) >= 30 && ticked());
    await first.stop();
    const next = version(after);
    const { url } = await next.service.startApi();
    await next.service.startWorker();

    const second = await startScheduler(next.application, next.service.env);
    onTestFinished(() => second.stop());
    await until("a new tick has run", async () => (await jobsIn(next.service, "orders-2"))[0]);
    await until("all has run", async () => {
      const [open] = await Promise.all(
        ["orders", "orders-2"].map((name) => old.service.openBareQueue(name).getJobCounts("wait", "active")),
      );
      return open?.wait === 0 && open.active === 0;
    });

    expect((await jobsIn(next.service, "orders"))[0]).toBeGreaterThanOrEqual(caughtUp);
    expect(new Set(charged).size).toBe(charged.length);
    const { body } = await get(`${url}/schedules/every-second/ticks?limit=20`);
    const ticks = body.ticks as { jobId: string | null }[];
    expect(ticks.some(({ jobId }) => jobId?.startsWith("orders_"))).toBe(true);
    expect(await producer.status(ticks.at(-1)?.jobId ?? "")).toMatchObject({ type: "order" });
  });
});

describe("a queue that no contract names", () => {
  const findingsOf = async (
    version: ReturnType<ReturnType<typeof deploy>["version"]>,
  ): Promise<Finding[]> => {
    const settings = readSettings(version.service.env);
    const stores = plainStores(version.service.connect(), version.service.env.HOLDFAST_PREFIX);
    const findings = await diagnose(version.application, stores, settings);
    return findings.filter(({ name }) => name.startsWith("queue"));
  };

  it("fails the doctor's check while jobs wait in it, with the line to add", async () => {
    const { version } = deploy();
    const old = version(before);
    const producer = await old.service.createProducer();
    expect(await findingsOf(old)).toMatchObject([{ name: "queues of types", verdict: "ok" }]);
    for (const key of ["k", "l"]) await old.submit(producer, key);
    await producer.submit(old.order, { cents: 1 }, { idempotencyKey: "m", delayMs: 60_000 });

    expect(await findingsOf(version(undeclared))).toMatchObject([
      {
        name: "queue of order",
        verdict: "bad",
        found: "orders-2, and it was last submitted to orders",
        remedy: expect.stringContaining('formerQueues: ["orders"]'),
      },
      {
        name: "queue orders",
        verdict: "bad",
        found: expect.stringContaining("3 jobs left in it, 0 effects in doubt"),
        remedy: expect.stringContaining('add "orders" to formerQueues of job order'),
      },
    ]);
    expect(await findingsOf(version(after))).toMatchObject([{ name: "queues of types", verdict: "ok" }]);
  });

  it("passes once it is empty, and fails again while it has doubts to resolve", async () => {
    const { version } = deploy();
    const old = version(before);
    const next = version(after);
    const producers = [await old.service.createProducer(), await next.service.createProducer()] as const;
    const { id } = await old.submit(producers[0], "k");
    await next.submit(producers[1], "l");
    await next.service.startWorker();
    await untilState(producers[1], id, "completed");

    expect(await findingsOf(version(undeclared))).toMatchObject([
      { name: "queues of types", verdict: "ok" },
      { name: "queue orders", verdict: "ok", found: expect.stringContaining("0 jobs left") },
    ]);
    await next.service
      .connect()
      .zadd(queueKeys(next.service.env.HOLDFAST_PREFIX, "orders").doubts, Date.now(), "x/charge");
    expect(await findingsOf(version(undeclared))).toContainEqual(
      expect.objectContaining({
        name: "queue orders",
        verdict: "bad",
        found: expect.stringContaining("1 effect in doubt"),
      }),
    );
  });
});

describe("the command line, and roles as processes of their own", withProcesses, () => {
  const config = fileURLToPath(new URL("../../support/fixtures/moved.config.ts", import.meta.url));

  it("exit with 1 and the whole message if a queue has changed, and start if that is declared", async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: config, HOLDFAST_LOG_LEVEL: "info" } as const;
    const submit = ["submit", "moved", "--key", "k", "--payload", "1"];
    const [moved, declared] = [
      { TEST_QUEUE: "orders-2" },
      { TEST_QUEUE: "orders-2", TEST_FORMER_QUEUES: "default" },
    ];
    expect(await runProcess(submit, env)).toMatchObject({ code: 0 });

    const refused = await Promise.all(
      [submit, ["api"], ["worker"], ["scheduler"]].map((args) =>
        runProcess(args, { ...env, ...moved } as Variables),
      ),
    );

    for (const { code, stderr } of refused) {
      expect(code).toBe(1);
      expect(stderr).toContain("docs/change-a-queue.md");
      expect(stderr.replaceAll("\\", "")).toContain('formerQueues: ["default"]');
    }
    expect(await runProcess(["jobs", "list"], { ...env, ...moved } as Variables)).toMatchObject({ code: 0 });
    const { code, stdout } = await runProcess(submit, { ...env, ...declared } as Variables);
    expect(code).toBe(0);
    expect(stdout).toContain("default_");
  });
});

import { hostname } from "node:os";
import { startWorker } from "holdfast/worker";
import { describe, expect, inject, it } from "vitest";
import { patiently } from "../../../lab/faults/lib/inside/patiently.ts";
import { anyJob, echo, application as echoes } from "../../support/application.ts";
import { startCuttingProxy } from "../../support/cutting-proxy.ts";
import { call } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { scrape } from "../../support/metrics.ts";
import { charge, start as startNotified, untilTold } from "../../support/notices.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, type Service, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const HERE = `${hostname()}:${process.pid}`;
const job = anyJob();
type Operator = Awaited<ReturnType<Service["createOperator"]>>;

async function start(variables = {}) {
  const end = latch();
  const ran: unknown[] = [];
  const application = applicationOf(
    job.handler(async ({ payload }) => {
      ran.push(payload);
      if (payload === "long") await end.opened;
      return null;
    }),
  );
  const service = createService(application, variables);
  const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
  const submit = async (payload: string) =>
    (await patiently(() => producer.submit(job, payload, { idempotencyKey: payload }))).id;
  return { service, application, producer, operator, submit, ran, end };
}

async function workerNamed(operator: Operator, name: string) {
  return (await patiently(operator.overview)).workers.find((worker) => worker.name === name);
}

async function untilSeen(operator: Operator, name: string) {
  await until(`${name} is seen`, () => workerNamed(operator, name));
}

function quiet(operator: Operator, name: string) {
  return patiently(() => operator.workers.quiet(name, act));
}

/** It hears with its next heartbeat. */
async function untilQuiet(operator: Operator, name: string, isQuiet = true) {
  await until(`${name} has heard`, async () => {
    const found = await workerNamed(operator, name);
    return found !== undefined && (found.quiet?.hasHeard === true) === isQuiet;
  });
}

const act = { reason: "its disk is full", by: "ann" };

describe.concurrent("a worker that was told to be quiet", withProcesses, () => {
  it("ends what it runs, claims no more jobs, is not taken for stuck, and goes on once it is woken", async () => {
    // Soon stuck: that would end it.
    const variables = { HOLDFAST_CONCURRENCY: "1", HOLDFAST_STUCK_AFTER_MS: "1000" };
    const { service, producer, operator, submit, ran, end } = await start(variables);
    let failure: unknown;
    const worker = await service.startWorker();
    (worker as { failed?: Promise<never> }).failed?.catch((error: unknown) => {
      failure = error;
    });
    const long = await submit("long");
    await untilState(producer, long, "active");
    await untilSeen(operator, HERE);
    expect(await quiet(operator, HERE)).toEqual({
      name: HERE,
      queues: ["default"],
      quiet: { ...act, since: expect.any(String) },
    });
    await untilQuiet(operator, HERE);
    const next = await submit("next");
    end.open();
    await untilState(producer, long, "completed");

    const findings = await until("the doctor finds waiting jobs", async () => {
      const found = await patiently(operator.doctor);
      return found.some(({ found }) => found === "1 alive, all of them quiet, 1 job waiting") && found;
    });
    expect(findings).toContainEqual(
      expect.objectContaining({
        name: `worker ${HERE}`,
        verdict: "warn",
        found: expect.stringContaining("ann"),
      }),
    );
    expect((await workerNamed(operator, HERE))?.isStuck).toBe(false);
    expect(ran).toEqual(["long"]);
    const { code, stdout } = await run(["workers", "wake", HERE], service.env);
    expect([code, stdout]).toEqual([0, `worker ${HERE} of default may claim jobs again\n`]);
    await untilState(producer, next, "completed");
    expect(failure).toBeUndefined();
    expect((await workerNamed(operator, HERE))?.quiet).toBeNull();
  });

  it("is exactly that process: another one of its host claims its jobs, and one that has its name later is not quiet", async () => {
    const service = createService(echoes);
    const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
    const child = await launchRole("worker", service.env);
    const name = `${hostname()}:${child.pid}`;
    const submit = async (key: string) => (await producer.submit(echo, key, { idempotencyKey: key })).id;
    await untilSeen(operator, name);
    await quiet(operator, name);
    await untilQuiet(operator, name);
    const waiting = await submit("waiting");
    await service.startWorker();
    await untilState(producer, waiting, "completed");
    await untilSeen(operator, HERE);
    expect((await workerNamed(operator, HERE))?.quiet).toBeNull();

    child.kill("SIGKILL");
    await child.ended;
    const client = service.connect();
    const hash = `${service.env.HOLDFAST_PREFIX}:{default}:workers:quiet`;
    const told = (await client.hget(hash, name)) ?? "";
    // A container's next process often has the name of the one before.
    await client.hset(hash, HERE, told);
    await quiet(operator, HERE);
    await client.hset(hash, HERE, told);
    await untilState(producer, await submit("later"), "completed");
    expect((await workerNamed(operator, HERE))?.quiet).toBeNull();
  });

  it("stays quiet where Redis has forgotten that, and says it again", async () => {
    const { service, producer, operator, submit, ran } = await start();
    await service.startWorker();
    await untilSeen(operator, HERE);
    await quiet(operator, HERE);
    await untilQuiet(operator, HERE);
    const client = service.connect();
    await client.del(`${service.env.HOLDFAST_PREFIX}:{default}:workers:quiet`);
    const id = await submit("a");
    await until("Redis knows it again", async () => (await workerNamed(operator, HERE))?.quiet?.by === "ann");
    expect(ran).toEqual([]);

    await operator.workers.wake(HERE, { by: "bob" });
    await untilState(producer, id, "completed");
  });

  it("stays quiet while it is cut off from Redis, and hears after that what it was told meanwhile", async () => {
    const { service, application, producer, operator, submit, ran } = await start();
    const proxy = await startCuttingProxy(inject("redisUrl"));
    const worker = await startWorker(application, { ...service.env, REDIS_URL: proxy.url });
    onTestFinished(worker.stop);
    await untilSeen(operator, HERE);
    await quiet(operator, HERE);
    await untilQuiet(operator, HERE);
    const cutOff = async () => {
      proxy.cutAfter(0);
      await until("it is cut off", async () => proxy.hasCut());
    };
    await cutOff();
    const id = await submit("a");
    await until("it counts as lost", async () => (await workerNamed(operator, HERE))?.isSilent);
    expect(await workerNamed(operator, HERE)).toMatchObject({ quiet: { by: "ann", hasHeard: true } });
    expect(await patiently(() => operator.queues.show("default"))).toMatchObject({
      workers: 0,
      quietWorkers: 0,
    });

    proxy.cutAfter(Number.POSITIVE_INFINITY);
    await until("it is back", async () => (await workerNamed(operator, HERE))?.isSilent === false);
    expect(await workerNamed(operator, HERE)).toMatchObject({ quiet: { by: "ann", hasHeard: true } });
    expect(ran).toEqual([]);

    await cutOff();
    await patiently(() => operator.workers.wake(HERE));
    proxy.cutAfter(Number.POSITIVE_INFINITY);
    await untilState(producer, id, "completed");
    expect((await workerNamed(operator, HERE))?.quiet).toBeNull();
  });

  it("is quiet, and its queue's ramp runs, on each surface alike", async () => {
    const { service, operator } = await start();
    const [{ url }, child] = await Promise.all([
      service.startApi(),
      launchRole("worker", service.env),
      service.startWorker(),
    ]);
    await Promise.all([untilSeen(operator, HERE), untilSeen(operator, `${hostname()}:${child.pid}`)]);
    const shown = async () => {
      const metrics = await scrape(`${url}/metrics`);
      const value = (name: string) => metrics.value(`holdfast_${name}`, { queue: "default" });
      const [queue] = (await patiently(operator.overview)).queues;
      const { ramp, quietWorkers } = await patiently(() => operator.queues.show("default"));
      return {
        metrics: ["workers", "workers_quiet", "queue_ramping"].map(value),
        overview: [queue?.workers, queue?.quietWorkers, queue?.ramp !== null],
        queue: [quietWorkers, ramp !== null],
      };
    };
    const said = async (...command: string[]) => (await run(command, service.env)).stdout;
    expect(await shown()).toEqual({
      metrics: [2, 0, 0],
      overview: [2, 0, false],
      queue: [0, false],
    });
    expect(await said("queues", "list")).not.toMatch(/quiet|ramping/);

    await patiently(() => operator.queues.resume("default", { by: "ann", overMs: 3_600_000 }));
    await quiet(operator, HERE);
    // What another tool may have left there counts for nothing.
    const odd = { odd: "{", none: "null", list: "[]", [`${hostname()}:${child.pid}`]: '{"since":1}' };
    await service.connect().hset(`${service.env.HOLDFAST_PREFIX}:{default}:workers:quiet`, odd);
    expect(await shown()).toEqual({ metrics: [2, 1, 1], overview: [2, 1, true], queue: [1, true] });
    for (const command of [["queues", "list"], ["queues", "show", "default"], ["overview"]])
      expect(await said(...command)).toMatch(/1 of 2 workers quiet[\s\S]*ramping up, 0 %/);
    await untilQuiet(operator, HERE);
    expect(await said("workers", "list")).toMatch(new RegExp(`${HERE} .* quiet by ann: its disk is full`));
    const checked = await said("doctor", "--verbose");
    expect(checked).toContain("ramping up, 0 %");
    expect(checked).toContain("quiet in default since");

    await patiently(() => operator.workers.quiet(`${hostname()}:${child.pid}`, act));
    expect(await said("queues", "list")).toContain("all workers quiet");
    await patiently(() => operator.workers.wake(HERE));
    expect((await shown()).metrics).toEqual([2, 1, 1]);
    child.kill("SIGKILL");
    await until("that of a lost worker is none", async () => (await shown()).metrics[1] === 0);
  });

  it("is found in each partition of its queue, in those that come later, too", async () => {
    const { service, producer, operator, submit, ran } = await start();
    await service.startWorker();
    await untilSeen(operator, HERE);
    await quiet(operator, HERE);
    await untilQuiet(operator, HERE);
    await operator.queues.divide("default", 3);
    const ids = await Promise.all(["a", "b", "c", "d", "e", "f"].map(submit));
    const client = service.connect();
    await until("all partitions know it", async () => {
      const hashes = ["default", "default.1", "default.2"].map((queue) =>
        client.hlen(`${service.env.HOLDFAST_PREFIX}:{${queue}}:workers:quiet`),
      );
      return (await Promise.all(hashes)).every((count) => count === 1);
    });
    expect(ran).toEqual([]);
    await operator.workers.wake(HERE);
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
  });
});

describe.concurrent("telling a worker to be quiet", () => {
  it("is told to people by an API where no other worker delivers notices", async () => {
    const { receiver, service } = await startNotified({ notices: { lateMs: 1_000 } });
    const [operator, producer] = await Promise.all([service.createOperator(), service.createProducer()]);
    await Promise.all([service.startWorker(), service.startApi()]);
    await until("it is seen", async () => (await operator.overview()).workers.length > 0);
    await operator.workers.quiet(HERE, { reason: "its disk is full", by: "ann" });
    await until("it has heard", async () => (await operator.overview()).workers[0]?.quiet?.hasHeard);
    await producer.submit(charge, { fails: true }, { idempotencyKey: "late" });
    expect(await untilTold(receiver, "holdfast.late.began")).toMatchObject({
      sentBy: expect.any(String),
      text: expect.stringContaining("told to claim no more jobs"),
    });
  });

  it("is refused for an unknown name, without a reason, and where it is not as it was seen", async () => {
    const { service, operator } = await start();
    const [{ url }] = await Promise.all([service.startApi(), service.startWorker()]);
    await untilSeen(operator, HERE);
    const ask = (name: string, what: "quiet" | "wake", body?: unknown) =>
      call(`${url}/workers/${encodeURIComponent(name)}/${what}`, "POST", body);
    const known = async () => (await workerNamed(operator, HERE))?.quiet?.since ?? null;

    expect(await ask("nobody:1", "quiet", { reason: "a" })).toMatchObject({
      status: 404,
      body: { code: "WORKER_NOT_FOUND", detail: expect.stringContaining(`known: ${HERE}`) },
    });
    expect((await run(["workers", "wake", "nobody:1"], service.env)).stderr).toContain("There is no worker");
    expect((await ask(HERE, "quiet", {})).status).toBe(400);
    await expect(operator.workers.quiet(HERE, { reason: " ", by: "ann" })).rejects.toEqual(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );

    const mine = { reason: "mine", expect: { quietSince: null } };
    const both = await Promise.all([ask(HERE, "quiet", mine), ask(HERE, "quiet", mine)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const first = await known();
    expect((await ask(HERE, "quiet", { reason: "newer" })).status).toBe(200);
    const refused = await ask(HERE, "wake", { expect: { quietSince: first } });
    expect(refused.body).toMatchObject({ code: "CHANGED_MEANWHILE" });
    expect((await ask(HERE, "wake", { expect: { quietSince: await known() } })).status).toBe(200);
    expect(await known()).toBeNull();
    const entries = await operator.auditTrail(20);
    expect(entries.map(({ as, evidence }) => `${as} ${evidence}`)).toEqual([
      `worker-woken worker ${HERE}`,
      `worker-woken-failed worker ${HERE}`,
      `worker-quieted worker ${HERE}: newer`,
      expect.stringMatching(/^worker-quieted(-failed)? /),
      expect.stringMatching(/^worker-quieted(-failed)? /),
    ]);
  });
});

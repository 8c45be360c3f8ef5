import { fileURLToPath } from "node:url";
import type { Producer } from "holdfast";
import { beforeEach, describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import application, { errand, most, plain, single } from "../../support/fixtures/labelled.config.ts";
import { call, get, post } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { createService, type Service, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const HOLDFAST_CONFIG = fileURLToPath(new URL("../../support/fixtures/labelled.config.ts", import.meta.url));
type Job = typeof errand | typeof single | typeof plain;

let service: Service;
let producer: Producer;
let url = "";
beforeEach(async () => {
  service = createService(application, { HOLDFAST_CONCURRENCY: "10" });
  producer = await service.createProducer();
  ({ url } = await service.startApi());
  most.clear();
});

let keys = 0;
async function submit(job: Job, tenant: string, count = 1, takesMs = 0): Promise<string[]> {
  const submissions = Array.from({ length: count }, () => ({
    payload: { tenant, takesMs },
    idempotencyKey: `key-${keys++}`,
  }));
  const results = await producer.submitMany(job as typeof plain, submissions);
  return results.map((result) => ("id" in result ? result.id : ""));
}

interface Curb {
  readonly type: string | null;
  readonly key: string | null;
  readonly concurrency: number | null;
  readonly held: number;
}

const curbs = async () => {
  const { body } = await get(`${url}/queues`);
  return (
    (body.queues as { name: string; curbs: Curb[] }[]).find(({ name }) => name === "errands")?.curbs ?? []
  );
};
const heldBy = (held: number) => until(`${held} are held`, async () => (await curbs())[0]?.held === held);
const allCompleted = (ids: readonly string[]) =>
  Promise.all(ids.map((id) => untilState(producer, id, "completed")));
const pause = (body: object) => post(`${url}/queues/errands/pause`, { reason: "the flood", ...body });
const resume = (body: object) => post(`${url}/queues/errands/resume`, body);

describe("a type of a queue that is paused", () => {
  it("is held while others run, whatever restarts, and says so; let go, all of it runs", async () => {
    await pause({ type: "errand" });
    const first = await service.startWorker();
    const held = [...(await submit(errand, "acme", 20)), ...(await submit(errand, "small", 5))];
    const others = await submit(plain, "acme", 20);
    await allCompleted(others);
    await heldBy(25);
    await first.stop();
    await service.startWorker();
    await allCompleted(await submit(plain, "acme", 5));
    expect(await curbs()).toEqual([
      expect.objectContaining({
        type: "errand",
        key: null,
        concurrency: null,
        held: 25,
        reason: "the flood",
        by: "API",
      }),
    ]);
    expect(await producer.status(held[0] ?? "")).toMatchObject({
      state: "waiting",
      error: null,
      label: "tenant:acme",
      curbedBy: { type: "errand", key: null },
    });
    const { body: overview } = await get(`${url}/overview`);
    expect(overview.queues).toContainEqual(
      expect.objectContaining({
        name: "errands",
        waiting: 25,
        curbs: [expect.objectContaining({ held: 25 })],
      }),
    );

    await resume({ type: "errand" });

    await allCompleted(held);
    expect(await curbs()).toEqual([]);
    const store = service.connect();
    const { start } = queueKeys(service.env.HOLDFAST_PREFIX, "errands");
    await until("nothing is left of it", async () => {
      const left = await store.exists(`${start}curbs`, `${start}curbing`, `${start}curb:type/errand`);
      return left === 0 && (await store.hexists(`${start}meta`, "curbing")) === 0;
    });
    const { body: audit } = await get(`${url}/audit?queue=errands`);
    expect(audit.entries).toMatchObject([
      { as: "resumed", evidence: "type errand", by: "API" },
      { as: "paused", evidence: "type errand: the flood", by: "API" },
    ]);
  });
});

describe("a key of a queue", () => {
  it("is paused by its label, over all types; a cancelled job of it is held no more", async () => {
    await service.startWorker();
    expect((await pause({ key: "tenant:acme" })).status).toBe(200);
    const held = [...(await submit(errand, "acme", 3)), ...(await submit(single, "acme", 3))];
    await allCompleted([...(await submit(errand, "small", 3)), ...(await submit(single, "small", 3))]);
    // Of those that run one at a time only the first is claimed.
    await heldBy(4);
    await post(`${url}/jobs/${held[0]}/cancel`, {});
    await untilState(producer, held[0] ?? "", "failed");
    await heldBy(3);
    await resume({ key: "tenant:acme" });
    await allCompleted(held.slice(1));
    expect(most.get("single")).toBeLessThanOrEqual(2);
  });

  it("is limited: never more run at a time, all of them run, and a higher limit counts at once", async () => {
    await service.startWorker();
    await service.startWorker();
    const limited = await call(`${url}/queues/errands/limits`, "PUT", { key: "tenant:acme", concurrency: 2 });
    expect(limited.body.curbs).toMatchObject([{ key: "tenant:acme", concurrency: 2 }]);
    const [acme, small] = await Promise.all([
      submit(errand, "acme", 40, 10),
      submit(errand, "small", 40, 10),
    ]);
    await allCompleted([...acme, ...small]);
    expect(most.get("acme")).toBe(2);
    expect(most.get("small")).toBeGreaterThan(2);
    await call(`${url}/queues/errands/limits`, "PUT", { key: "tenant:acme", concurrency: 4 });
    await allCompleted(await submit(errand, "acme", 40, 10));
    expect(most.get("acme")).toBeGreaterThan(2);
    expect(most.get("acme")).toBeLessThanOrEqual(4);
    await resume({ key: "tenant:acme" });
    expect(await curbs()).toEqual([]);
  });
});

describe("what a queue is asked", () => {
  it("is named by each command that lists queues or says what is wrong", async () => {
    await pause({ type: "errand" });
    await call(`${url}/queues/errands/limits`, "PUT", { key: "tenant:acme", concurrency: 2 });
    const env = { ...service.env, HOLDFAST_CONFIG };
    const listed = (await run(["queues", "list"], env)).stdout;
    expect(listed).toContain("type errand paused, 0 held");
    expect(listed).toContain("key tenant:acme limited to 2 at a time, 0 held");
    const found = (await run(["doctor"], env)).stdout;
    expect(found).toMatch(/type errand of errands +paused by API since \S+: the flood; 0 jobs held/);
    expect(found).toMatch(/key tenant:acme of errands +limited to 2 at a time by API/);
    expect(found).toContain("holdfast queues resume errands --key tenant:acme");
  });

  it("is refused where it means nothing", async () => {
    expect(await pause({ type: "erand" })).toMatchObject({ status: 400, body: { code: "UNKNOWN_JOB_TYPE" } });
    expect(await pause({ type: "errand", key: "tenant:a" })).toMatchObject({ status: 400 });
    const limits = { type: "errand", rate: "10/1s" };
    expect(await call(`${url}/queues/errands/limits`, "PUT", limits)).toMatchObject({ status: 400 });
    expect(await curbs()).toEqual([]);
  });

  it("says who has how many jobs, also on the command line, which pauses them, too", async () => {
    await submit(errand, "acme", 30);
    await submit(errand, "small", 3);
    await submit(plain, "acme", 2);
    expect((await get(`${url}/queues/errands/crowd`)).body).toMatchObject({
      types: [
        { type: "errand", waiting: 33, running: 0 },
        { type: "plain", waiting: 2 },
      ],
      keys: [
        { key: "tenant:acme", waiting: 30 },
        { key: "tenant:small", waiting: 3 },
      ],
      withoutLabel: { waiting: 2, running: 0 },
      isEstimate: false,
    });
    const env = { ...service.env, HOLDFAST_CONFIG };
    const { stdout } = await run(["queues", "crowd", "errands"], env);
    expect(stdout).toMatch(/^key tenant:acme +30 +0/m);
    expect(stdout).toMatch(/^keys without a label, or none +2 +0/m);
    const paused = await run(
      ["queues", "pause", "errands", "--key", "tenant:acme", "--reason", "floods"],
      env,
    );
    expect([paused.code, paused.stdout]).toEqual([
      0,
      expect.stringContaining("key tenant:acme paused, 0 held: floods"),
    ]);
    await service.startWorker();
    await heldBy(30);
    await until("they have started", async () => {
      const { body } = await get(`${url}/queues/errands/crowd`);
      const found = (body.keys as { key: string; started: number; waiting: number }[]).map(
        ({ key, started, waiting }) => `${key} ${waiting} ${started}`,
      );
      return found.join() === "tenant:acme 30 0,tenant:small 0 3";
    });
    const listed = await run(["jobs", "list", "--label", "tenant:acme", "--json"], env);
    expect(listed.stdout.trim().split("\n")).toHaveLength(30);
    const resumed = await run(["queues", "resume", "errands", "--key", "tenant:acme"], env);
    expect(resumed.code).toBe(0);
    await until("all have run", async () => {
      const { body } = await get(`${url}/queues/errands/crowd`);
      return (body.types as { waiting: number; running: number }[]).every(
        ({ waiting, running }) => waiting + running === 0,
      );
    });
  });

  it("estimates from a sample where a list is long", async () => {
    await submit(plain, "acme", 900);
    await submit(errand, "acme", 90);
    const { body } = await get(`${url}/queues/errands/crowd`);
    expect(body.isEstimate).toBe(true);
    expect(body.types).toMatchObject([
      { type: "plain", waiting: 900 },
      { type: "errand", waiting: 90 },
    ]);
  });
});

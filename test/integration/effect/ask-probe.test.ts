import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Producer } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import application, { answers, calls, charge, refund } from "../../support/fixtures/probed.config.ts";
import { get, post } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const HOLDFAST_CONFIG = fileURLToPath(new URL("../../support/fixtures/probed.config.ts", import.meta.url));
const service = createService(application, {}, afterAll);
let producer: Producer;
let url = "";
let [answering, breaking] = ["", ""];
const provider = createServer(({ url: path, socket }, response) =>
  path === "/broken" ? socket.destroy() : response.writeHead(500).end("it is broken"),
);

beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const { port } = provider.address() as AddressInfo;
  [answering, breaking] = [`http://127.0.0.1:${port}/charges`, `http://127.0.0.1:${port}/broken`];
  producer = await service.createProducer();
  ({ url } = await service.startApi());
  await service.startWorker();
});
afterAll(() => void provider.close());

interface Listed {
  readonly jobId: string;
  readonly effect: string;
  readonly effectKey: string;
  readonly asked: { readonly by: string; readonly found: string | null } | null;
}

async function doubtOf(jobId: string): Promise<Listed | undefined> {
  const { body } = await get(`${url}/doubts?limit=200`);
  return (body.doubts as Listed[]).find((doubt) => doubt.jobId === jobId);
}

/** Submits a job and waits for its doubt. */
async function doubted(
  job: typeof charge | typeof refund,
  key: string,
  payload = answering,
): Promise<Listed> {
  const { id } = await producer.submit(job, payload, { idempotencyKey: key });
  await untilState(producer, id, "failed");
  const doubt = await doubtOf(id);
  expect(doubt).toBeDefined();
  return doubt as Listed;
}

const ask = async (body: object) => (await post(`${url}/doubts/probe`, body)).body;
const idOf = ({ jobId, effect }: Listed) => ({ jobId, effect });

describe("the probe of a doubt", () => {
  it("is asked by a worker, and resolves the doubt as the probe's answer: done", async () => {
    const doubt = await doubted(charge, "done");
    answers.set(doubt.effectKey, { done: "charge 7" });
    expect(await ask({ ids: [idOf(doubt)], reason: "the provider is back" })).toMatchObject({
      count: 1,
      asked: 1,
      skipped: [],
      remaining: 0,
    });
    expect((await untilState(producer, doubt.jobId, "completed")).result).toBe("charge 7");
    expect(calls.get(doubt.effectKey)).toBe(1);
    const { body } = await get(`${url}/audit?jobId=${doubt.jobId}`);
    expect(body.entries).toMatchObject([
      { as: "done", by: "probe", effect: "charge" },
      { as: "probe-asked", by: "API", effect: "charge", evidence: "the provider is back" },
    ]);
    const { body: job } = await get(`${url}/jobs/${doubt.jobId}`);
    expect(job.record).toMatchObject([
      { text: "probe of charge asked over the API: the provider is back" },
      { text: expect.stringMatching(/^charge resolved as done .*probe/) },
    ]);
  });

  it("says not done, and then the effect runs again, once", async () => {
    const doubt = await doubted(charge, "not-done");
    answers.set(doubt.effectKey, "not-done");
    expect(await ask({ filter: { type: "charge", effect: "charge" } })).toMatchObject({ asked: 1 });
    expect((await untilState(producer, doubt.jobId, "completed")).result).toBe("called again");
    expect(calls.get(doubt.effectKey)).toBe(2);
  });

  it("does not know: the effect stays in doubt, which says who asked and what came of it", async () => {
    const doubt = await doubted(charge, "unknown");
    const { code, stdout } = await run(["doubts", "probe", doubt.jobId, "charge"], {
      ...service.env,
      HOLDFAST_CONFIG,
    });
    expect([code, stdout]).toEqual([0, "1 probe is asked\n"]);
    const { asked } = await until("it has answered", async () => {
      const found = await doubtOf(doubt.jobId);
      return found?.asked?.found ? found : undefined;
    });
    expect(asked).toMatchObject({
      by: expect.stringContaining("@"),
      found: expect.stringContaining("does not know"),
    });
    expect(calls.get(doubt.effectKey)).toBe(1);
    const listed = await run(["doubts", "list", "--type", "charge"], service.env);
    expect(listed.stdout).toMatch(/probe asked at .* since then: .*does not know/);
  });

  it("is asked of jobs by their ids, for all that is in doubt of each", async () => {
    const doubts = [await doubted(charge, "by-id-1"), await doubted(charge, "by-id-2")];
    for (const { effectKey } of doubts) answers.set(effectKey, { done: "seen" });
    const env = { ...service.env, HOLDFAST_CONFIG };
    const ids = doubts.map(({ jobId }) => jobId);

    expect(await run(["doubts", "probe", ...ids], env)).toMatchObject({
      code: 0,
      stdout: "2 probes are asked\n",
    });
    for (const id of ids) await untilState(producer, id, "completed");
    expect(await run(["doubts", "probe", ...ids], env)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^0 probes/),
    });
    expect(await run(["doubts", "probe", "none"], env)).toMatchObject({ code: 1 });
    expect(await run(["doubts", "probe", "none", "charge", "refund"], env)).toMatchObject({ code: 2 });
  });

  it("is not asked where there is none, where nothing is in doubt, and twice while its job has not ended", async () => {
    const [held, open] = [await doubted(refund, "held"), await doubted(charge, "waits")];
    const unknown = { jobId: held.jobId, effect: "none" };
    expect((await ask({ ids: [idOf(held), unknown] })).skipped).toEqual([
      { ...unknown, code: "EFFECT_NOT_IN_DOUBT" },
      { ...idOf(held), code: "NO_PROBE" },
    ]);
    expect((await post(`${url}/doubts/probe`, {})).status).toBe(400);
    expect(await ask({ ids: [idOf(open)], dryRun: true })).toMatchObject({ asked: 1, remaining: 1 });
    expect((await doubtOf(open.jobId))?.asked).toBeNull();
    await post(`${url}/queues/default/pause`, { reason: "a test" });
    expect(await ask({ ids: [idOf(open)] })).toMatchObject({ asked: 1 });
    expect((await ask({ ids: [idOf(open)] })).skipped).toEqual([{ ...idOf(open), code: "JOB_NOT_ENDED" }]);
    await post(`${url}/jobs/${open.jobId}/cancel`, {});
    expect((await ask({ ids: [idOf(open)] })).skipped).toEqual([{ ...idOf(open), code: "CANCELLED" }]);
    await post(`${url}/queues/default/resume`, {});
    expect(calls.get(open.effectKey)).toBe(1);
  });
});

describe("groups of doubts", () => {
  it("are those of one verdict, type and effect, and the verdict is a filter", async () => {
    const before = (await get(`${url}/doubts/groups?type=refund`)).body.groups as {
      readonly count: number;
    }[];
    const known = before.reduce((sum, { count }) => sum + count, 0);
    await doubted(refund, "one");
    await doubted(refund, "two");
    await doubted(refund, "broken", breaking);
    const { body } = await get(`${url}/doubts/groups?type=refund`);
    expect(body).toMatchObject({
      isExact: true,
      groups: [
        { verdict: "answered 500", type: "refund", effect: "refund", count: known + 2, mayAskProbe: 0 },
        { verdict: expect.stringMatching(/^sent, connection/), count: 1 },
      ],
    });
    const filtered = await get(`${url}/doubts?type=refund&verdict=answered%20500`);
    expect(filtered.body.doubts).toHaveLength(known + 2);
    const printed = await run(["doubts", "groups", "--verdict", "answered 500", "--type", "refund"], {
      ...service.env,
      HOLDFAST_CONFIG,
    });
    expect(printed.stdout).toMatch(new RegExp(`answered 500 +${known + 2} +refund +refund`));
  });
});

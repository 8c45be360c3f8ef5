import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineJob } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { EXPORT_MARGIN_MS } from "../../../src/desk/doubts/provider-export.ts";
import { readExportFile } from "../../../src/edges/cli/doubts-many.ts";
import { ageDoubts, pauseWorkerOf } from "../../support/doubts.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const COUNT = 30;

/** Each sees its first call hang up, as in a crash of the provider. */
function typeOf(type: string) {
  const job = defineJob({
    type,
    payload: z.strictObject({ number: z.int() }),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 30_000,
    effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
  });
  const failed = new Set<string>();
  const charged: string[] = [];
  const handler = job.handler(async ({ effect }) =>
    effect("charge", async ({ key }) => {
      if (failed.has(key)) return void charged.push(key);
      failed.add(key);
      throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
    }),
  );
  return { job, handler, charged };
}

const invoices = typeOf("invoice");
const refunds = typeOf("refund");
const service = createService(applicationOf(invoices.handler, refunds.handler), {}, afterAll);
const redis = service.connect();
const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
let url = "";
beforeAll(async () => {
  const producer = await service.createProducer();
  ({ url } = await service.startApi());
  await service.startWorker();
  const many = (count: number) =>
    Array.from({ length: count }, (_, number) => ({ payload: { number }, idempotencyKey: `k-${number}` }));
  await producer.submitMany(invoices.job, many(COUNT));
  await producer.submitMany(refunds.job, many(3));
  await until("all are in doubt", async () => (await doubts()).length === COUNT + 3);
});

interface Listed {
  readonly jobId: string;
  readonly effect: string;
  readonly effectKey: string;
  readonly since: string;
}

async function doubts(filter = ""): Promise<Listed[]> {
  return (await get(`${url}/doubts?limit=200${filter}`)).body.doubts as Listed[];
}

const resolve = (body: object) => post(`${url}/doubts/resolve`, body);

describe("many doubts", () => {
  it("are found by type, effect, time and reason, with their job's type and key", async () => {
    const [first] = await doubts("&type=refund");
    expect(first).toMatchObject({ type: "refund", idempotencyKey: expect.stringMatching(/^k-\d$/) });
    expect(await doubts("&type=refund&effect=charge")).toHaveLength(3);
    expect(await doubts("&reasonText=SOCKET%20hang")).toHaveLength(COUNT + 3);
    expect(await doubts("&reasonText=nothing")).toEqual([]);
    expect(await doubts("&worker=nobody")).toEqual([]);
    expect(await doubts("&until=2026-01-01T00:00:00Z")).toEqual([]);
    expect((await get(`${url}/doubts?since=yesterday`)).status).toBe(400);
  });

  it("need a scope, and a dry run changes nothing", async () => {
    const how = { as: "done", evidence: "the export" };
    for (const scope of [{}, { filter: {} }, { all: true, filter: { type: "refund" } }])
      expect(await resolve({ ...how, ...scope })).toMatchObject({
        status: 400,
        body: { code: "INVALID_REQUEST" },
      });
    const { body } = await resolve({ ...how, filter: { type: "refund" }, dryRun: true });
    expect(body).toMatchObject({ count: 3, resolved: 0, remaining: 3, isExact: true });
    expect(body.doubts).toHaveLength(3);
    expect(await doubts()).toHaveLength(COUNT + 3);
  });

  it("are resolved by id: 28 as done, those of later calls skipped; the jobs go on, 2 of them again", async () => {
    const open = await doubts("&type=invoice");
    const idsOf = (some: Listed[]) => some.map(({ jobId, effect }) => ({ jobId, effect }));
    const done = { ids: idsOf(open.slice(0, 28)), as: "done", evidence: "in the export of 12:00" };
    expect((await resolve(done)).body).toMatchObject({ count: 28, resolved: 28, skipped: [], remaining: 0 });
    const again = (await resolve(done)).body;
    expect(again).toMatchObject({ resolved: 0, remaining: 0 });
    expect(again.skipped).toHaveLength(28);
    expect(again.skipped).toContainEqual({ ...done.ids[0], code: "EFFECT_NOT_IN_DOUBT" });
    const rest = { filter: { type: "invoice" }, as: "not-done", evidence: "not in the export" };
    expect((await resolve(rest)).body).toMatchObject({ resolved: 2, remaining: 0 });
    await until("2 are charged", () => invoices.charged.length === 2);
    expect([...invoices.charged].sort()).toEqual(
      open
        .slice(28)
        .map(({ effectKey }) => effectKey)
        .sort(),
    );
    const { body } = await get(`${url}/audit?jobId=${open[0]?.jobId}`);
    expect(body.entries).toMatchObject([{ as: "done", evidence: "in the export of 12:00" }]);
    const { body: job } = await get(`${url}/jobs/${open[0]?.jobId}`);
    expect(job.record).toMatchObject([
      { text: "charge resolved as done over the API: in the export of 12:00" },
    ]);
  });

  it("that an export may not name yet stay, also over HTTP", async () => {
    const open = await doubts("&type=refund");
    const ids = open.map(({ jobId, effect }) => ({ jobId, effect }));
    const rest = { as: "not-done", evidence: "not in the export", completeUntil: new Date().toISOString() };
    for (const scope of [{ ids }, { filter: { type: "refund" } }]) {
      const { body } = await resolve({ ...rest, ...scope });
      expect(body).toMatchObject({ resolved: 0, remaining: 0 });
      expect(body.skipped).toHaveLength(3);
      expect(body.skipped).toContainEqual({ ...ids[0], code: "BEGAN_TOO_LATE" });
    }
    expect(await doubts("&type=refund")).toHaveLength(3);
    expect((await resolve({ ...rest, ids, as: "done" })).status).toBe(400);
  });

  it("that begin after a preview stay", async () => {
    const [oldest] = await doubts("&type=refund");
    const before = new Date(Date.parse(String(oldest?.since))).toISOString();
    const { body } = await resolve({ all: true, as: "done", evidence: "seen", before });
    expect(body).toMatchObject({ count: 0, resolved: 0, before });
    expect(await doubts("&type=refund")).toHaveLength(3);
  });
});

describe("a provider's export", () => {
  it("wants the zone of its instants, and does not believe an hour that they speak against", async () => {
    const directory = await temporaryFolder();
    const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const imported = async (created: string, ...more: string[]) => {
      const file = join(directory, "wrong-hour.csv");
      await writeFile(file, `id,created\nnone,${created}\n`);
      const rest = ["--rest", "not-done", "--until", new Date().toISOString(), ...more];
      const args = ["doubts", "import", file, "--type", "refund", "--evidence", "an export", ...rest];
      return await run(args, service.env);
    };

    const early = await imported(twoHoursAgo, "--yes");
    expect([early.code, early.stderr]).toEqual([
      2,
      expect.stringContaining(`the latest instant in the export is ${twoHoursAgo}, 2 h`),
    ]);
    const wall = twoHoursAgo.slice(0, 16).replace("T", " ");
    expect(await imported(wall, "--yes")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--zone"),
    });
    expect(await imported(wall, "--yes", "--zone", "UTC")).toMatchObject({ code: 2 });
    expect(await imported(wall, "--yes", "--zone", "Berlin")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("expected the name of a time zone, such as Europe/Berlin or UTC"),
    });
    expect((await imported(twoHoursAgo, "--dry-run")).stderr).toContain("Is --until right, and its zone?");
    expect(await doubts("&type=refund")).toHaveLength(3);
  });

  it(
    "resolves what it names as done, and the rest as not done only where that is asked for",
    withProcesses,
    async () => {
      const [first, second, third] = (await doubts("&type=refund")) as [Listed, Listed, Listed];
      const directory = await temporaryFolder();
      const file = join(directory, "export.csv");
      await writeFile(file, `id,reference\n1,${first.effectKey}\n2,${second.effectKey}\n3,unknown\n`);
      const evidence = "the export of 12:00";
      const options = [file, "--type", "refund", "--column", "reference", "--evidence", evidence];

      const rest = ["--rest", "not-done", "--dry-run"];
      const imported = (...more: string[]) =>
        run(["doubts", "import", ...options, ...rest, ...more], service.env);
      const unbounded = await imported();
      expect([unbounded.code, unbounded.stderr]).toEqual([
        2,
        expect.stringContaining("--rest: needs --until"),
      ]);
      const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
      const fresh = await imported("--until", inAnHour);
      expect(fresh.stdout).toContain("2 of 3 effects in doubt are in the export; 1 stays in doubt");
      expect(fresh.stdout).not.toMatch(/^not done/m);
      await ageDoubts(redis, keys, 2 * EXPORT_MARGIN_MS);
      const dry = await imported("--until", new Date().toISOString());
      expect(dry.stdout).toContain("2 of 3 effects in doubt are in the export");
      expect(dry.stdout).toMatch(new RegExp(`^not done +${third.jobId}`, "m"));
      const then = new Date(Date.now() - 2 * EXPORT_MARGIN_MS).toISOString();
      expect((await imported("--until", then)).stdout).not.toMatch(/^not done/m);
      expect(await doubts("&type=refund")).toHaveLength(3);
      expect((await run(["doubts", "import", ...options], service.env)).code).toBe(2);

      const { code, stdout } = await run(["doubts", "import", ...options, "--yes"], service.env);
      expect([code, stdout]).toEqual([0, expect.stringContaining("2 effects resolved as done")]);
      expect(await doubts("&type=refund")).toMatchObject([{ jobId: third.jobId }]);

      const how = ["--type", "refund", "--as", "not-done", "--evidence", "not charged", "--yes"];
      await pauseWorkerOf(redis, keys, third.jobId);
      const kept = await run(["doubts", "resolve", ...how], service.env);
      expect([kept.code, kept.stdout]).toEqual([
        1,
        expect.stringContaining("1 effect may still be under way, and stays in doubt"),
      ]);
      const one = ["doubts", "resolve", third.jobId, third.effect, "--as", "not-done", "--evidence", "x"];
      const refused = await run(one, service.env);
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/paused-worker was seen .* --confirm/),
      ]);
      expect((await run(["doubts", "list", "--type", "refund"], service.env)).stdout).toContain(
        "may still be under way: worker paused-worker was seen",
      );
      expect((await run(["doubts", "resolve", ...how, "--confirm"], service.env)).stdout).toContain(
        "1 effect resolved as not done",
      );
      await until("it runs again", () => refunds.charged[0] === third.effectKey);
      const audit = await run(["audit", "list", "--job", third.jobId, "--json"], service.env);
      expect(JSON.parse(audit.stdout)).toMatchObject({
        as: "not-done",
        evidence: "not charged",
        by: expect.stringContaining("@"),
      });
      const shown = await run(["jobs", "show", third.jobId], service.env);
      expect(shown.stdout).toMatch(/by hand .*charge resolved as not-done by .+@.+: not charged/);
    },
  );

  it("is read as CSV and as NDJSON, every cell or one column", async () => {
    const directory = await temporaryFolder();
    const file = async (name: string, text: string) => {
      await writeFile(join(directory, name), text);
      return join(directory, name);
    };
    const csv = await file("a.csv", 'id,"reference, ours",amount\r\n1,"k ""1"", x",5\n2,k2,\n');
    expect([...(await readExportFile(csv)).values]).toEqual(expect.arrayContaining(['k "1", x', "k2", "5"]));
    expect([...(await readExportFile(csv, "reference, ours")).values]).toEqual(['k "1", x', "k2"]);
    await expect(readExportFile(csv, "none")).rejects.toMatchObject({ code: "USAGE" });
    const ndjson = await file("b.json", '{"id":"1","meta":{"key":"k3"}}\n\n{"meta":{"key":"k4"}}\n');
    expect([...(await readExportFile(ndjson)).values]).toEqual(["1", "k3", "k4"]);
    expect([...(await readExportFile(ndjson, "meta.key")).values]).toEqual(["k3", "k4"]);
    await expect(readExportFile(await file("c", '{"id":\n'))).rejects.toMatchObject({ code: "USAGE" });
  });
});

import { hostname } from "node:os";
import { defineConfig, defineJob, PermanentError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { auditEntrySchema } from "../../../src/desk/audit/audit-entry.ts";
import type { AuditLine } from "../../../src/desk/audit/audit-lines.ts";
import { type Operations, operations } from "../../../src/desk/operations/operations.ts";
import { call, get } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

interface Trace {
  /** The command that does or shows the same. */
  readonly command: string;
  /** What the audit log calls it; none where nothing is changed. */
  readonly as?: readonly string[];
}

/** Nobody does these by hand: programs run effects with them, and each effect names who ran it. */
const byPrograms = ["reserveEffect", "commitEffect", "releaseEffect", "doubtEffect"] as const;
type ByHand = Exclude<keyof Operations, (typeof byPrograms)[number]>;

/** An operation that is missing here, or one too many, does not compile. */
const traces: Readonly<Record<ByHand, Trace>> = {
  list: { command: "jobs list" },
  detail: { command: "jobs show" },
  retry: { command: "jobs retry", as: ["retried"] },
  cancel: { command: "jobs cancel", as: ["cancelled"] },
  again: { command: "jobs again", as: ["submitted-again"] },
  delete: { command: "jobs delete", as: ["deleted"] },
  startAct: { command: "jobs retry", as: ["cancel-started", "cancel-done"] },
  acts: { command: "acts list" },
  act: { command: "acts list" },
  stopAct: { command: "acts stop", as: ["retry-stopping"] },
  failures: { command: "failures list" },
  doubts: { command: "doubts list" },
  doubtGroups: { command: "doubts groups" },
  askProbes: { command: "doubts probe", as: ["probe-asked"] },
  resolveDoubts: { command: "doubts resolve", as: ["done"] },
  resolve: { command: "doubts resolve", as: ["not-done"] },
  guardedEffects: { command: "effects list" },
  guardedEffect: { command: "effects show" },
  auditTrail: { command: "audit list" },
  schedules: { command: "schedules list" },
  scheduleDefinition: { command: "schedules show" },
  ticks: { command: "schedules ticks" },
  explainTick: { command: "schedules explain" },
  putSchedule: { command: "schedules put", as: ["schedule-put"] },
  deleteSchedule: { command: "schedules delete", as: ["schedule-deleted"] },
  runSchedule: { command: "schedules run", as: ["schedule-run"] },
  pauseSchedule: { command: "schedules pause", as: ["schedule-paused"] },
  skipTick: { command: "schedules skip", as: ["schedule-tick-skipped"] },
  resumeSchedule: { command: "schedules resume", as: ["schedule-resumed"] },
  types: { command: "overview" },
  history: { command: "history" },
  acceptLoss: { command: "store accept-loss", as: ["loss-accepted"] },
  queues: { command: "queues list" },
  crowd: { command: "queues crowd" },
  pauseQueue: { command: "queues pause", as: ["paused"] },
  resumeQueue: { command: "queues resume", as: ["resumed"] },
  limitQueue: { command: "queues limit", as: ["limited"] },
  quietWorker: { command: "workers quiet", as: ["worker-quieted"] },
  wakeWorker: { command: "workers wake", as: ["worker-woken"] },
  outbox: { command: "outbox show" },
  parkedRows: { command: "outbox parked" },
  releaseRow: { command: "outbox release", as: ["outbox-released"] },
  releaseRows: { command: "outbox release", as: ["outbox-released"] },
  discardRows: { command: "outbox discard", as: ["outbox-discarded"] },
  discardRow: { command: "outbox discard", as: ["outbox-discarded"] },
  notices: { command: "notices list" },
  testNotices: { command: "notices test", as: ["notices-tested"] },
};
const all = Object.entries(traces) as [ByHand, Trace][];

/** Their own tests: these need a database, a Redis that has lost data, and an effect with a probe. */
const elsewhere: ReadonlySet<ByHand> = new Set([
  "releaseRow",
  "releaseRows",
  "discardRow",
  "discardRows",
  "acceptLoss",
  "askProbes",
]);
const HOUR_MS = 3_600_000;
/** Whole hours after now: one may begin meanwhile. */
const tickAhead = () => new Date((Math.floor(Date.now() / HOUR_MS) + 2) * HOUR_MS).toISOString();

const job = defineJob({
  type: "by-hand",
  payload: z.enum(["fail", "doubt", "succeed"]),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const application = defineConfig({
  jobs: [job],
  handlers: async () => [
    job.handler(async ({ payload, effect }) => {
      if (payload === "fail") throw new PermanentError("on request");
      await effect("act", async () => {
        if (payload === "doubt") throw Object.assign(new Error("hang up"), { code: "ECONNRESET" });
      });
    }),
  ],
  notices: { receivers: [{ name: "nobody", slack: "NOBODY_URL" }] },
});

describe("what operators can do over HTTP", () => {
  it("they can do on the command line", async () => {
    for (const command of new Set(all.map(([, trace]) => trace.command))) {
      const { code, stdout } = await run([...command.split(" "), "--help"], {});
      expect([command, code, stdout]).toEqual([
        command,
        0,
        expect.stringMatching(new RegExp(`^Usage: holdfast ${command}( |$)`, "m")),
      ]);
    }
  });

  it("is in the audit log by a name that its page lists, wherever it changes something", () => {
    const listed = auditEntrySchema.shape.as.meta()?.description ?? "";
    for (const [name, { as }] of all) {
      const { method, scope } = operations[name];
      expect([name, method !== "GET", scope], name).toEqual([
        name,
        as !== undefined,
        as === undefined ? "read" : "operate",
      ]);
      for (const kind of as ?? []) expect(listed).toContain(kind.replace(/^cancel-/, "retry-"));
    }
  });

  it("is on record after it was done, with who did it", async () => {
    const service = createService(application, { NOBODY_URL: "http://127.0.0.1:9/" } as Variables);
    const [producer, api] = await Promise.all([service.createProducer(), service.startApi()]);
    await service.startWorker();
    const submit = async (payload: "fail" | "doubt" | "succeed", key: string, more = {}) =>
      (await producer.submit(job, payload, { idempotencyKey: key, ...more })).id;
    const ended = async (payload: "fail" | "doubt", key: string) => {
      const id = await submit(payload, key);
      await untilState(producer, id, "failed");
      return id;
    };
    const [toRetry, toDelete, doubted, later] = await Promise.all([
      ended("fail", "retry"),
      ended("fail", "delete"),
      ended("doubt", "one"),
      submit("succeed", "later", { delayMs: 3_600_000 }),
    ]);
    const reason = "a test";
    const worker = encodeURIComponent(`${hostname()}:${process.pid}`);
    const done: Record<string, readonly [method: string, path: string, body?: unknown]> = {
      retry: ["POST", `/jobs/${toRetry}/retry`, { reason }],
      again: ["POST", `/jobs/${toDelete}/again`, { idempotencyKey: "again", reason }],
      delete: ["DELETE", `/jobs/${toDelete}`],
      cancel: ["POST", `/jobs/${later}/cancel`, { reason }],
      resolve: [
        "POST",
        `/jobs/${doubted}/effects/act/resolve`,
        { as: "not-done", evidence: reason, confirm: true },
      ],
      pauseQueue: ["POST", "/queues/default/pause", { reason }],
      resumeQueue: ["POST", "/queues/default/resume"],
      limitQueue: ["PUT", "/queues/default/limits", { concurrency: 5 }],
      quietWorker: ["POST", `/workers/${worker}/quiet`, { reason }],
      wakeWorker: ["POST", `/workers/${worker}/wake`],
      putSchedule: ["PUT", "/schedules/nightly", { type: "by-hand", payload: "succeed", everyMs: 3_600_000 }],
      runSchedule: ["POST", "/schedules/nightly/run"],
      skipTick: ["POST", "/schedules/nightly/skip", { at: tickAhead(), reason }],
      pauseSchedule: ["POST", "/schedules/nightly/pause", { reason }],
      resumeSchedule: ["POST", "/schedules/nightly/resume"],
      deleteSchedule: ["DELETE", "/schedules/nightly"],
      startAct: ["POST", "/jobs/acts", { act: "cancel", filter: { type: "by-hand" }, reason }],
      testNotices: ["POST", "/notices/test", {}],
    };
    for (const [name, [method, path, body]] of Object.entries(done)) {
      const answer = await call(`${api.url}${path}`, method, body);
      expect([name, answer.status, answer.body], name).toEqual([
        name,
        expect.toSatisfy((status: number) => status < 300),
        expect.anything(),
      ]);
    }
    await untilState(producer, doubted, "failed");
    await until(
      "it is in doubt again",
      async () => ((await get(`${api.url}/doubts`)).body.doubts as unknown[]).length === 1,
    );
    const many = { as: "done", evidence: reason, all: true };
    expect((await call(`${api.url}/doubts/resolve`, "POST", many)).status).toBe(200);
    // A slow act, to be stopped.
    const slow = { act: "retry", all: true, rate: "1/1h", reason };
    const { body } = await call(`${api.url}/jobs/acts`, "POST", slow);
    expect((await call(`${api.url}/jobs/acts/${body.id}/stop`, "POST")).status).toBe(200);

    const wanted = all.filter(([name]) => !elsewhere.has(name)).flatMap(([, { as = [] }]) => as);
    await until("all is on record", async () => {
      const entries = (await get(`${api.url}/audit?limit=200`)).body.entries as AuditLine[];
      const done = entries.filter(({ by }) => by === "API").flatMap(({ as, parts }) => parts?.as ?? [as]);
      return wanted.every((kind) => done.includes(kind));
    });
  });
});

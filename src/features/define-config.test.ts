import { describe, expect, it } from "vitest";
import { z } from "zod";
import { loadHandlers } from "../desk/load-handlers.ts";
import { defineSchedule } from "../roles/schedules/define-schedule.ts";
import { defineConfig, defineJob } from "./define.ts";

const job = (type: string, queue = "default", formerQueues: readonly string[] = []) =>
  defineJob({
    type,
    queue,
    formerQueues,
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 1_000,
  });
const schedule = (name: string, of = job("report")) =>
  defineSchedule({ name, everyMs: 1_000, job: of, payload: () => null });
const handlers = async () => [];

describe("an application", () => {
  it("knows its jobs by type, and each queue once", () => {
    const jobs = [job("a"), job("b", "slow"), job("c")];

    const application = defineConfig({ jobs, handlers });

    expect([...application.jobs.keys()]).toEqual(["a", "b", "c"]);
    expect(application.jobs.get("__proto__")).toBeUndefined();
    expect(application.queues).toEqual(["default", "slow"]);
    expect(application.schedules).toEqual([]);
  });

  it("may not have a searchable field where a payload has nothing: nobody would find a job by it", () => {
    const payload = z.strictObject({ email: z.string() });
    const searchable = (search: readonly string[]) =>
      defineJob({
        type: "mail",
        payload,
        result: z.unknown(),
        search: search as readonly "/email"[],
        retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
        timeoutMs: 1_000,
      });

    expect(defineConfig({ jobs: [searchable(["/email"])] }).jobs.get("mail")?.search).toEqual(["/email"]);
    expect(() => defineConfig({ jobs: [searchable(["/email", "/emial"])] })).toThrow(
      'job "mail": search: expected a pointer into the schema of the payload, got "/emial"',
    );
  });

  it("lists former queues after the queues in use", () => {
    const moved = job("moved", "fast", ["slow", "default"]);

    expect(defineConfig({ jobs: [moved, job("b", "slow")], handlers }).queues).toEqual([
      "fast",
      "slow",
      "default",
    ]);
  });

  it("does not load its handlers when declared", () => {
    const load = () => {
      throw new Error("loaded");
    };

    expect(() => defineConfig({ jobs: [job("a")], handlers: load })).not.toThrow();
  });

  it("is refused where it is not what its types say, as untyped code may give it", () => {
    const report = job("report");
    const untyped = { jobs: [report.handler(async () => ({})), undefined, report], handlers: [] };

    expect(() => defineConfig(untyped as never)).toThrow(
      [
        "jobs[0]: expected a contract, as defineJob returns it; list handlers in handlers: async () => […]",
        "jobs[1]: expected a contract, as defineJob returns it",
        "handlers: expected a function that returns them, such as async () => [reportHandler]",
      ].join("\n"),
    );
    expect(() => defineConfig({} as never)).toThrow("jobs: expected a list of contracts");
  });

  it.each([[() => undefined], [async () => [undefined]], [() => ({ report: "" })]])(
    "has handlers that are refused where %s is loaded",
    async (load) => {
      const application = defineConfig({ jobs: [job("report")], handlers: load as never });

      await expect(loadHandlers(application)).rejects.toMatchObject({
        code: "APPLICATION_INVALID",
        message: expect.stringContaining("expected a function that returns a list of handlers"),
      });
    },
  );

  it("is refused with one line for each fault", () => {
    const report = job("report");
    const faulty = () =>
      defineConfig({
        jobs: [report, job("report"), job("report")],
        schedules: [schedule("hourly", report), schedule("hourly", report), schedule("daily", job("other"))],
        handlers,
      });

    expect(faulty).toThrow(expect.objectContaining({ code: "APPLICATION_INVALID" }));
    expect(faulty).toThrow(
      [
        'job "report": declared twice',
        'schedule "hourly": declared twice',
        'schedule "daily": its job "other" is not listed in jobs',
      ].join("\n"),
    );
  });
});

describe("a schedule", () => {
  it.each(["Hourly", "", "a:b", "1st"])("may not have the name %j", (name) => {
    expect(() => schedule(name)).toThrow(`schedule "${name}": name: expected 1 to 64 lower-case letters`);
  });

  it.each([999, 0, -1_000, 1_000.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "may not be due every %s ms",
    (everyMs) => {
      const faulty = () => defineSchedule({ name: "s", everyMs, job: job("report"), payload: () => null });

      expect(faulty).toThrow(expect.objectContaining({ code: "APPLICATION_INVALID" }));
      expect(faulty).toThrow(`got ${everyMs}`);
    },
  );

  it.each([{ cron: "0 9 * * *", timeZone: "UTC" }, { cron: "0 9 * * *" }, { timeZone: "Europe/Berlin" }])(
    "may not have everyMs together with %j",
    (more) => {
      const both = { name: "s", everyMs: 60_000, ...more, job: job("report"), payload: () => null };
      const faulty = () => defineSchedule(both as never);

      expect(faulty).toThrow(expect.objectContaining({ code: "APPLICATION_INVALID" }));
      expect(faulty).toThrow('schedule "s": expected cron and timeZone, or everyMs, got both');
    },
  );
});

/** Untyped code gives anything. */
const untyped = (value: unknown) => value as never;

describe("what untyped code declares is refused with its place", () => {
  const whole = { type: "report", payload: z.unknown(), result: z.unknown(), timeoutMs: 1_000 };
  const retry = { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } };
  const due = { name: "daily", everyMs: 1_000, payload: () => null };

  it.each([
    [undefined, "defineConfig: expected a definition, got undefined"],
    [{ job: [], jobs: [] }, 'job: expected no such member; did you mean "jobs"?'],
    [{ jobs: [], schedules: {} }, "schedules: expected a list of schedules"],
    [
      { jobs: [], schedules: [{ name: "daily" }] },
      "schedules[0]: expected a schedule, as defineSchedule returns it",
    ],
    [{ jobs: [], queues: [] }, "queues: expected settings by the name of their queue"],
    [{ jobs: [], onStop: 5 }, "onStop: expected a function"],
    [{ jobs: [], env: 5 }, "env: expected a schema, such as z.object({ SHOP_URL: z.url() })"],
  ])("an application: %j", (definition, fault) => {
    expect(() => defineConfig(untyped(definition))).toThrow(fault);
  });

  it.each([
    [null, "defineJob: expected a definition, got null"],
    [
      { ...whole, retry, timeoutMS: 1 },
      'job "report": timeoutMS: expected no such member; did you mean "timeoutMs"?',
    ],
  ])("a job: %j", (definition, fault) => {
    expect(() => defineJob(untyped(definition))).toThrow(fault);
  });

  it.each([
    [undefined, "defineSchedule: expected a definition, got undefined"],
    [
      { ...due, job: job("a"), catchup: { mode: "all" } },
      'schedule "daily": catchup: expected no such member; did you mean "catchUp"?',
    ],
    [{ ...due, job: { type: "a" } }, 'schedule "daily": job: expected a contract, as defineJob returns it'],
    [{ ...due, job: job("a"), payload: null }, 'schedule "daily": payload: expected a function'],
  ])("a schedule: %j", (definition, fault) => {
    expect(() => defineSchedule(untyped(definition))).toThrow(fault);
  });
});

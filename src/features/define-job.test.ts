import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineJob } from "./define.ts";

type AnyDefinition = Parameters<typeof defineJob>[0];

const good: AnyDefinition = {
  type: "report",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 1_000,
};

/** Definitions that only JavaScript or a cast can pass. */
const define = (changed: Readonly<Record<string, unknown>>) => () =>
  defineJob({ ...good, ...changed } as AnyDefinition);

describe("a job", () => {
  it("waits in the default queue, unless it names another", () => {
    expect(defineJob(good).queue).toBe("default");
    expect(defineJob({ ...good, queue: "slow" }).queue).toBe("slow");
  });

  it("may name former queues; by default it has none", () => {
    expect(defineJob(good).formerQueues).toEqual([]);
    expect(defineJob({ ...good, queue: "slow", formerQueues: ["default"] }).formerQueues).toEqual([
      "default",
    ]);
  });

  it.each([
    [{ formerQueues: ["Slow"] }, /^job "report": formerQueues\.0: expected 1 to 64 lower-case letters/],
    [{ formerQueues: "slow" }, /^job "report": formerQueues: /],
    [{ formerQueues: ["default"] }, /^job "report": formerQueues: expected other queues .*, got "default"$/],
    [
      { queue: "slow", formerQueues: ["slow"] },
      /^job "report": formerQueues: expected other queues .*, got "slow"$/,
    ],
    [{ formerQueues: ["slow", "slow"] }, /^job "report": formerQueues: expected each queue once, got "slow"/],
  ])("may not have been in %j", (changed, fault) => {
    expect(define(changed)).toThrow(fault);
  });

  it("binds a handler to its contract", async () => {
    const job = defineJob(good);
    const run = async () => "done";

    expect(job.handler(run)).toEqual({ job, run });
  });

  it.each(["", "Report", "1st", "a_b", "a b", "a:b", "{a}", "__proto__", "é", "a".repeat(65)])(
    "may not have the type %j",
    (type) => {
      expect(define({ type })).toThrow(/^job ".*": type: expected 1 to 64 lower-case letters/);
    },
  );

  it.each(["Slow", "a:b", "{a}", "", "a_b"])("may not wait in the queue %j", (queue) => {
    expect(define({ queue })).toThrow(/^job "report": queue: expected 1 to 64 lower-case letters/);
  });

  it.each([0, -1, 1.5, Number.NaN, 86_400_001])("may not take %s ms", (timeoutMs) => {
    expect(define({ timeoutMs })).toThrow(/^job "report": timeoutMs: /);
  });

  it("may not have an unknown member, e.g. one that is misspelt", () => {
    expect(define({ timeOutMs: 5 })).toThrow(/^job "report": .*timeOutMs/);
  });

  it("may not have a payload or result that is not a schema", () => {
    expect(define({ payload: {} })).toThrow(/^job "report": payload: /);
    expect(define({ result: undefined })).toThrow(/^job "report": result: /);
  });

  it("may not declare a secret where its schema has nothing: a typo would expose it", () => {
    const payload = z.strictObject({ token: z.string() });

    expect(defineJob({ ...good, search: [], payload, redact: { payload: ["/token"] } }).redact).toEqual({
      payload: ["/token"],
      result: [],
    });
    expect(define({ payload, redact: { payload: ["/token", "/tokn"] } })).toThrow(
      'job "report": redact.payload: expected a pointer into the schema of the payload, got "/tokn"',
    );
    expect(define({ redact: { payloads: [] } })).toThrow(/^job "report": redact: /);
  });

  it.each(["", "smtp_url", "1ST", "A B", "A=1"])("may not require a variable named %j", (name) => {
    expect(define({ requiredVariables: [name] })).toThrow(/^job "report": requiredVariables\.0: /);
  });

  it("is refused with one line for each fault", () => {
    const refused = define({ type: "Report", timeoutMs: 0, retry: { attempts: 0, backoff: {} } });

    expect(refused).toThrow(expect.objectContaining({ code: "APPLICATION_INVALID" }));
    expect(refused).toThrow(
      /^job "Report": type: .*\njob "Report": retry.attempts: .*\njob "Report": retry.backoff.kind: .*\njob "Report": timeoutMs: /,
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import application, { everySecond } from "../../../examples/every-second/holdfast.config.ts";
import type { ScheduleStatus } from "../../../src/roles/schedules/schedule-status.ts";
import { tickKey } from "../../../src/roles/schedules/tick-keys.ts";
import { openOwnSubmitter } from "../../support/own-submitter.ts";
import { type Ended, launch, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
const HOUR_MS = 60 * 60_000;

const env = { ...testEnvironment(), HOLDFAST_CONFIG: "examples/every-second/holdfast.config.ts" };
let producer: Awaited<ReturnType<typeof openOwnSubmitter>>;

beforeAll(async () => {
  producer = await openOwnSubmitter(application, env);
});
afterAll(() => producer.stop());

function schedules(...args: string[]): Promise<Ended> {
  return run(["schedules", ...args], env);
}

/** A tick this many milliseconds ago. */
const tickAgo = (ms: number) => Math.floor((Date.now() - ms) / 1_000) * 1_000;
const iso = (at: number) => new Date(at).toISOString();

/** Submits a tick's job now, as a scheduler would. */
async function enqueue(at: number): Promise<string> {
  const options = { idempotencyKey: tickKey(everySecond, at) };
  return (await producer.submit(everySecond.job, { at: iso(at) }, options)).id;
}

describe("holdfast schedules list", withProcesses, () => {
  it("prints a table with the requested number of next ticks", async () => {
    const { code, stdout } = await schedules("list", "--next", "3");
    expect(code).toBe(0);
    const [head, first, ...others] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^name +when +job +next +last$/);
    expect(first).toMatch(/^every-second +every 1 s +beat +\d{4}.* +\d{4}.*: before the first job$/);
    expect(others.pop()).toMatch(/^no scheduler runs/);
    expect(others).toHaveLength(2);
    const next = [first, ...others].map((line) => Date.parse(ISO.exec(line ?? "")?.[0] ?? ""));
    expect(next[1]).toBe((next[0] ?? 0) + 1_000);
    expect(next[2]).toBe((next[0] ?? 0) + 2_000);
  });

  it("prints one JSON object a line", async () => {
    const { code, stdout } = await schedules("list", "--next", "3", "--json");
    expect(code).toBe(0);
    const listed = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as ScheduleStatus);
    expect(listed).toMatchObject([
      { name: "every-second", jobType: "beat", catchUp: "all", timeZone: "UTC" },
    ]);
    expect(listed[0]?.next).toHaveLength(3);
  });

  it("prints them again when they change, with --watch", async () => {
    const watch = launch(["schedules", "list", "--watch", "--json"], env);
    await until("it has printed two ticks", () => watch.stdout.trim().split("\n").length >= 2);
    watch.kill("SIGINT");
    expect((await watch.ended).code).toBe(0);
  });

  it.each(["0", "1001", "1.5", "few"])("refuses --next %s", async (next) => {
    const { code, stderr } = await schedules("list", "--next", next);
    expect(code).toBe(2);
    expect(stderr).toContain("expected a number from 1 to 1000");
  });
});

describe("holdfast schedules explain", withProcesses, () => {
  const explain = async (at: number, ...more: string[]) => {
    const { code, stdout } = await schedules("explain", "every-second", "--at", iso(at), ...more);
    expect(code).toBe(0);
    return stdout;
  };

  it("shows that an instant is not a tick, and the ticks around it", async () => {
    expect(await explain(Date.parse("2026-03-29T01:00:00.500Z"))).toBe(
      "every-second at 2026-03-29T01:00:00.500Z: not a tick; " +
        "the one before is 2026-03-29T01:00:00.000Z, the next 2026-03-29T01:00:01.000Z\n",
    );
  });

  it("shows a tick that is not due yet", async () => {
    const at = tickAgo(-HOUR_MS);
    expect(await explain(at)).toMatch(/: not due yet, in (59 min|1 h)( \d+ s)?\n$/);
  });

  it("shows a tick that was enqueued in time, and its job's outcome", async () => {
    const at = tickAgo(1_000);
    const id = await enqueue(at);
    expect(await explain(at)).toBe(`every-second at ${iso(at)}: enqueued as job ${id} (waiting)\n`);
    expect(JSON.parse(await explain(at, "--json"))).toMatchObject({
      kind: "enqueued",
      jobId: id,
      state: "waiting",
      lateMs: expect.any(Number),
    });
  });

  it("shows a tick that was caught up late, and by how much", async () => {
    const at = tickAgo(30_000);
    const id = await enqueue(at);
    const explanation = await explain(at);
    expect(explanation).toMatch(new RegExp(`: caught up 3\\d s late as job ${id} \\(waiting\\)\n$`));
  });

  it("shows a skipped tick, and why", async () => {
    const at = tickAgo(90_000);
    await enqueue(at - 1_000);
    expect(await explain(at)).toMatch(/: skipped: .* catch-up window of 1 min\n$/);
  });

  it("shows a tick that a scheduler would still enqueue", async () => {
    expect(await explain(tickAgo(20_000))).toMatch(/: not enqueued yet: it is due/);
  });

  it("admits that it cannot know about ticks older than the key retention", async () => {
    expect(await explain(Date.parse("2026-01-01T00:00:00Z"))).toMatch(
      /: unknown: it is longer ago than keys/,
    );
  });

  it("refuses an unknown schedule, and names the known ones", async () => {
    const { code, stdout, stderr } = await schedules("explain", "nightly", "--at", "2026-12-01T09:00:00Z");
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr: 'There is no schedule "nightly"; declared: every-second\n',
    });
  });

  it.each(["noon", "2026-13-01T00:00:00Z", ""])("refuses --at %j", async (at) => {
    const { code, stderr } = await schedules("explain", "every-second", "--at", at);
    expect(code).toBe(2);
    expect(stderr).toContain("--at: expected an instant such as 2026-12-01T09:00:00Z");
  });

  it("refuses to explain without an instant", async () => {
    expect((await schedules("explain", "every-second")).code).toBe(2);
  });

  // The last one, because it enqueues what comes in the next minute: each of the latest ticks has its job, whenever the command looks.
  it("shows a tick of before the schedule's first job as such", async () => {
    for (let ago = 5; ago > -60; ago -= 1) await enqueue(tickAgo(ago * 1_000));

    expect(await explain(tickAgo(300_000))).toMatch(
      /: before the schedule's first known job: the schedule was not there yet, or/,
    );
  });
});

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Operator } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failing, failingHandler } from "../../support/failing-echo.ts";
import { get } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { launchInTerminal } from "../../support/terminal.ts";
import { until } from "../../support/until.ts";

const handler = failingHandler("the mail server said no");

const parts: (() => Promise<void>)[] = [];
const service = createService(applicationOf(handler), {}, (stop) => parts.push(stop));
const failed: string[] = [];
const inDoubt: string[] = [];
let operator: Operator;
let url: string;

beforeAll(async () => {
  const producer = await service.createProducer();
  operator = await service.createOperator();
  ({ url } = await service.startApi());
  await service.startWorker();
  for (const key of ["1", "2", "3", "4", "5", "6", "7", "8"])
    failed.push((await producer.submit(failing, key, { idempotencyKey: `order-${key}` })).id);
  for (const key of ["a", "b", "c", "d"])
    inDoubt.push((await producer.submit(failing, "doubt", { idempotencyKey: `doubt-${key}` })).id);
  for (const id of [...failed, ...inDoubt]) await untilState(producer, id, "failed");
});

afterAll(async () => {
  for (const stop of parts.reverse()) await stop();
});

const size = { columns: 100, rows: 30 };
const [HIDDEN, SHOWN] = ["\u001b[?25l", "\u001b[?25h"];
const command = (...args: string[]) => run(args, service.env);
/** The one line of JSON that a command printed. */
const lineOf = (stdout: string) => JSON.parse(stdout) as Record<string, unknown>;

describe("Ctrl-C in a progress bar", withProcesses, () => {
  it("shows the cursor again, and says that the act goes on", async () => {
    const args = [
      "jobs",
      "retry",
      "--code",
      "PERMANENT_FAILURE",
      "--reason",
      "why",
      "--rate",
      "1/h",
      "--yes",
    ];
    const waiting = launchInTerminal(args, service.env, size);
    await waiting.untilShown(HIDDEN);

    waiting.pressCtrlC();

    expect(await waiting.ended).toBe(130);
    const [, id = ""] = /the act goes on: holdfast acts show (\S+);/.exec(waiting.shown) ?? [];
    expect(waiting.shown.lastIndexOf(SHOWN)).toBeGreaterThan(waiting.shown.lastIndexOf(HIDDEN));
    expect(await operator.acts.read(id)).toMatchObject({ endedAt: null });
    await operator.acts.stop(id);
  });

  it("shows the cursor again, and says that a file is safe to submit again", async () => {
    const file = join(await temporaryFolder(), "jobs.ndjson");
    const line = (index: number) => JSON.stringify({ idempotencyKey: `line-${index}`, payload: index });
    await writeFile(file, Array.from({ length: 200_000 }, (_, index) => line(index)).join("\n"));
    const submitting = launchInTerminal(["submit", "greeting", "--from", file], service.env, size);
    await submitting.untilShown(HIDDEN);

    submitting.pressCtrlC();

    expect(await submitting.ended).toBe(130);
    expect(submitting.shown).toMatch(/stopped: \d+ accepted, .* run it again/);
    expect(submitting.shown.lastIndexOf(SHOWN)).toBeGreaterThan(submitting.shown.lastIndexOf(HIDDEN));
  });
});

describe("a relative time in a filter", withProcesses, () => {
  it.each(["1h", "90min", new Date().toISOString().slice(0, 10)])(
    "is read on the command line: %s",
    async (text) => {
      const [since, before, doubts, history] = await Promise.all([
        command("jobs", "list", "--from", text, "--json"),
        command("jobs", "list", "--ended-to", text, "--json"),
        command("doubts", "list", "--since", text, "--json"),
        command("history", "--from", text, "--json"),
      ]);

      expect(since.stdout.trim().split("\n").length).toBeGreaterThanOrEqual(failed.length);
      expect(before).toMatchObject({ code: 0, stdout: "" });
      expect(doubts.stdout).toContain(inDoubt.at(-1));
      expect(history.code).toBe(0);
    },
  );

  it.each(["1h", "90min", new Date().toISOString().slice(0, 10)])("is read over HTTP: %s", async (text) => {
    const ids = async (path: string) => {
      const { status, body } = await get(`${url}/${path}`);
      const rows = (body.jobs ?? body.doubts) as readonly unknown[];
      return [status, rows.length > 0];
    };
    expect(await ids(`jobs?endedFrom=${text}`)).toEqual([200, true]);
    expect(await ids(`jobs?endedTo=${text}`)).toEqual([200, false]);
    expect(await ids(`doubts?since=${text}`)).toEqual([200, true]);
    expect(await ids(`doubts?until=${text}`)).toEqual([200, false]);
    expect((await get(`${url}/history?from=${text}`)).status).toBe(200);
    expect((await get(`${url}/jobs/export?from=${text}`)).status).toBe(200);
  });

  it.each(["1x", "yesterday", "2026-02-30", "-1h"])("is refused where it is none: %s", async (text) => {
    const { status, body } = await get(`${url}/jobs?from=${encodeURIComponent(text)}`);
    expect([status, body.errors]).toEqual([
      400,
      [{ pointer: "/from", message: expect.stringMatching(/a day such as .* an age such as/) }],
    ]);
    expect(await command("jobs", "list", `--from=${text}`)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--from: expected .*12h or 7d, got /),
    });
  });
});

describe("--json", withProcesses, () => {
  it("is one line for each job that is retried, cancelled or deleted; refusals are no output", async () => {
    const [first = "", second = ""] = failed;
    const retried = await command("jobs", "retry", first, "default_nonsense", "--json");
    expect([retried.code, lineOf(retried.stdout)]).toEqual([1, { id: first, outcome: "retried" }]);
    await until("it has failed again", async () => (await operator.detail(first))?.state === "failed");
    const deleted = await command("jobs", "delete", second, "--json");
    expect(lineOf(deleted.stdout)).toEqual({ id: second, outcome: "deleted" });
    const cancelled = await command("jobs", "cancel", first, "--json");
    expect([cancelled.code, cancelled.stdout]).toEqual([1, ""]);
  });

  it("is the act of many jobs, or what matches where none begins", async () => {
    const scope = ["jobs", "retry", "--code", "PERMANENT_FAILURE", "--json"];
    const dry = await command(...scope, "--dry-run");
    expect(lineOf(dry.stdout)).toMatchObject({ act: "retry", isExact: true, matching: [{ type: "echo" }] });
    const done = await command(...scope, "--yes", "--reason", "why");
    expect(lineOf(done.stdout)).toMatchObject({ act: "retry", state: "done", reason: "why", skipped: 0 });
    await until("they have failed again", async () => (await operator.failures()).scanned > 4);
    const begun = await command(...scope, "--yes", "--reason", "why", "--no-wait");
    expect(lineOf(begun.stdout)).toMatchObject({ act: "retry", reason: "why" });
    const nothing = await command("jobs", "cancel", "--tag", "none", "--yes", "--reason", "why", "--json");
    expect(lineOf(nothing.stdout)).toMatchObject({ act: "cancel", count: 0 });
  });

  it("is what was cleaned, or would be", async () => {
    const scope = ["jobs", "clean", "--key", "order-3", "--json"];
    await until("it has failed", async () => (await operator.detail(failed[2] ?? ""))?.state === "failed");
    expect(lineOf((await command(...scope, "--dry-run")).stdout)).toEqual({ count: 1, isExact: true });
    const cleaned = await command(...scope, "--yes", "--reason", "why");
    expect(lineOf(cleaned.stdout)).toEqual({ deleted: 1, kept: 0 });
  });

  it("is how doubts were resolved, one, by filter or by an export", async () => {
    const how = ["--as", "done", "--evidence", "seen", "--json"];
    const one = await command("doubts", "resolve", inDoubt[0] ?? "", "send", ...how);
    expect(lineOf(one.stdout)).toEqual({ id: inDoubt[0], effect: "send", as: "done", job: "retried" });

    const [named] = await operator.doubts(0, 1);
    const file = join(await temporaryFolder(), "export.csv");
    await writeFile(file, `key\n${named?.effectKey}\n`);
    const options = ["doubts", "import", file, "--evidence", "the export", "--json"];
    const dry = lineOf((await command(...options, "--dry-run")).stdout);
    expect(dry).toMatchObject({ done: [{ jobId: named?.jobId }], notDone: [], left: 2 });
    expect(JSON.stringify(dry)).not.toContain("dedupKey");
    expect(lineOf((await command(...options, "--yes")).stdout)).toEqual({
      done: { resolved: 1, skipped: 0, pending: 0, saidDone: 0 },
      notDone: { resolved: 0, skipped: 0, pending: 0, saidDone: 0 },
      left: 2,
    });

    const many = ["doubts", "resolve", "--type", "echo", ...how];
    expect(lineOf((await command(...many, "--dry-run")).stdout)).toMatchObject({ as: "done", count: 2 });
    const all = await command(...many, "--yes");
    expect(lineOf(all.stdout)).toEqual({ as: "done", resolved: 2, skipped: 0, pending: 0, saidDone: 0 });
    expect(all.stderr).toBe("");
  });
});

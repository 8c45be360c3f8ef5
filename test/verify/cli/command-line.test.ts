import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, PermanentError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { application, echo, greeting } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { launch, runProcess, START_MS, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, testEnvironment, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const bin = async (...args: readonly string[]) => run(args, testEnvironment());

async function temporaryFile(name: string, content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, name), content);
  return join(directory, name);
}

describe("what commands print of jobs", withProcesses, () => {
  const hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\nstate          completed\u202e";

  it("controls no terminal and forges no line, in the status or in lists", async () => {
    const shouting = defineJob({
      type: "shouting",
      payload: z.unknown(),
      result: z.unknown(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 1_000,
    }).handler(async ({ payload, progress }) => {
      await progress({ step: hostile });
      if (payload === "fail") throw new PermanentError(hostile);
      return hostile;
    });
    const service = createService(applicationOf(shouting));
    const producer = await service.createProducer();
    await service.startWorker();
    const failed = await producer.submit(shouting.job, "fail", { idempotencyKey: "\u202e1" });
    const completed = await producer.submit(shouting.job, "work", { idempotencyKey: "2" });
    await untilState(producer, failed.id, "failed");
    await untilState(producer, completed.id, "completed");

    const commands = [
      ["status", failed.id],
      ["status", failed.id, "--watch"],
      ["status", failed.id, "--json"],
      ["status", completed.id],
      ["status", completed.id, "--json"],
      ["status", "\x9b31m"],
      ["jobs", "list"],
      ["jobs", "list", "--json"],
      ["jobs", "retry", "\x9b31m"],
      ["failures", "list"],
      ["\x9b31m"],
      ["jobs", "list", "--\x9b31m"],
      ["jobs", "list", "\x9b31m"],
    ];
    const printedBy = await Promise.all(commands.map((args) => run(args, service.env)));
    for (const [index, { stdout, stderr }] of printedBy.entries()) {
      const args = commands[index] ?? [];
      const printed = stdout + stderr;
      expect(printed, args.join(" ")).not.toBe("");
      expect(printed.replaceAll("\n", ""), args.join(" ")).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      expect(printed, args.join(" ")).not.toMatch(/^state +completed.+$/m);
    }
    const ofCompleted = commands.findIndex(([, id, as]) => id === completed.id && as === "--json");
    expect(JSON.parse(printedBy[ofCompleted]?.stdout ?? "").result).toBe(hostile);
  });
});

describe("holdfast submit", withProcesses, () => {
  it("enqueues a job by the same rules as the API", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const submit = (payload: string) =>
      run(["submit", "echo", "--key", "k", "--payload", payload], service.env);

    const first = await submit('{"a":1,"b":2}');
    const again = await submit('{"b":2,"a":1}');
    const reused = await submit('{"a":2}');

    const [, id = ""] = /^accepted (\S+)\n$/.exec(first.stdout) ?? [];
    expect([first.code, first.stderr]).toEqual([0, ""]);
    expect(await producer.status(id)).toMatchObject({ type: "echo", state: "waiting" });
    expect(again).toEqual({ code: 0, stdout: `duplicate of ${id}\n`, stderr: "" });
    expect(reused).toMatchObject({ code: 1, stdout: "" });
    expect(reused.stderr).toMatch(/^This idempotency key was used before with other content; [^\n]+\n$/);
  });

  it("reads the payload from a file or standard input, and accepts options", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const file = await temporaryFile("payload.json", '{"from":"a file"}');
    const submit = async (key: string, payload: string, stdin: string, ...options: readonly string[]) => {
      const args = ["submit", "echo", "--key", key, "--payload", payload, "--json", ...options];
      return JSON.parse((await run(args, service.env, stdin)).stdout);
    };

    const [first, second] = await Promise.all([
      submit("1", `@${file}`, ""),
      submit("2", "-", '{"from":"stdin"}', "--delay-ms", "60000", "--priority", "3"),
    ]);

    expect(first).toEqual({ id: expect.any(String), type: "echo", idempotencyKey: "1", duplicate: false });
    const queue = service.openBareQueue();
    expect(await queue.getJob(first.id)).toMatchObject({ data: { payload: { from: "a file" } } });
    expect(await producer.status(second.id)).toMatchObject({ state: "delayed" });
    expect(await queue.getJob(second.id)).toMatchObject({
      data: { payload: { from: "stdin" } },
      opts: { delay: 60_000, priority: 3 },
    });
  });

  it("enqueues each good line of a file, reports each bad one, and can run again", async () => {
    const service = createService(application);
    const line = (n: number) => JSON.stringify({ type: "echo", payload: n, idempotencyKey: `line-${n}` });
    const lines = [
      line(1),
      "{not json",
      "",
      line(2),
      '{"payload":3,"idempotencyKey":"line-3"}',
      '"text"',
      '{"type":"nope","payload":1,"idempotencyKey":"k"}',
      '{"type":"echo","payload":1}',
      line(1),
      '{"type":"echo","payload":"other","idempotencyKey":"line-2"}',
    ];
    const file = await temporaryFile("jobs.ndjson", lines.join("\r\n"));

    const first = await run(["submit", "echo", "--from", file], service.env);
    const second = await run(["submit", "echo", "--from", file, "--json"], service.env);

    expect(first).toMatchObject({ code: 1, stdout: "3 accepted, 1 duplicate, 5 refused\n" });
    expect(first.stderr.trimEnd().split("\n").sort()).toEqual([
      expect.stringMatching(/^line 10: IDEMPOTENCY_KEY_REUSED: /),
      expect.stringMatching(/^line 2: INVALID_REQUEST: expected a JSON object$/),
      expect.stringMatching(/^line 6: INVALID_REQUEST: /),
      expect.stringMatching(/^line 7: UNKNOWN_JOB_TYPE: \/type: /),
      expect.stringMatching(/^line 8: IDEMPOTENCY_KEY_MISSING: \/idempotencyKey: /),
    ]);
    expect(second.code).toBe(1);
    expect(JSON.parse(second.stdout)).toEqual({ accepted: 0, duplicate: 4, refused: 5 });
    expect(await service.openBareQueue().getJobCounts()).toMatchObject({ waiting: 3 });
  });

  it("accepts many lines from standard input, and the same lines again as duplicates", async () => {
    const service = createService(application);
    const lines = Array.from(
      { length: 500 },
      (_, n) => `{"type":"echo","payload":${n},"idempotencyKey":"${n}"}\n`,
    );
    const submit = () => run(["submit", "--from", "-"], service.env, lines.join(""));

    expect(await submit()).toEqual({ code: 0, stdout: "500 accepted, 0 duplicate, 0 refused\n", stderr: "" });
    expect(await submit()).toEqual({ code: 0, stdout: "0 accepted, 500 duplicate, 0 refused\n", stderr: "" });
    expect(await service.openBareQueue().getJobCounts()).toMatchObject({ waiting: 500 });
  });
});

describe("holdfast status", withProcesses, () => {
  it("prints the status of a job, for people and for programs", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const { id } = await producer.submit(echo, 1, { idempotencyKey: "k" });

    const [forPeople, forPrograms] = await Promise.all([
      run(["status", id], service.env),
      run(["status", id, "--json"], service.env),
    ]);

    expect(forPeople).toMatchObject({ code: 0, stderr: "" });
    expect(forPeople.stdout).toMatch(/^state +waiting$/m);
    expect(forPeople.stdout).toMatch(/^attempts +0 of 3$/m);
    expect(forPrograms.code).toBe(0);
    expect(JSON.parse(forPrograms.stdout)).toEqual(await producer.status(id));
  });

  it("watches a job to its end, one line for each change", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const { id } = await producer.submit(echo, { n: 1 }, { idempotencyKey: "k" });
    const watching = launch(["status", id, "--watch", "--json"], service.env);
    await until("it shows that the job waits", () => watching.stdout.includes("waiting"), START_MS);

    await service.startWorker();

    const { code, stdout } = await watching.ended;
    const statuses = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(code).toBe(0);
    expect(statuses[0]).toMatchObject({ id, state: "waiting" });
    expect(statuses.at(-1)).toMatchObject({ id, state: "completed", result: { n: 1 } });
    expect(new Set(statuses.map((status) => JSON.stringify(status))).size).toBe(statuses.length);
  });

  it("exits with 1 after watching a job that failed", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "500" });
    const producer = await service.createProducer();
    const payload = { to: "anoop@example.com", name: "Anoop" };
    const { id } = await producer.submit(greeting, payload, { idempotencyKey: "k" });
    // Added outside of every contract.
    await (await service.openBareQueue().getJob(id))?.updateData({ key: "k", payload: {} });
    await service.startWorker();

    const { code, stdout } = await run(["status", id, "--watch"], service.env);

    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +INVALID_PAYLOAD: /m);
  });
});

describe("an exit code", withProcesses, () => {
  it("is 1 for what was refused", async () => {
    const [unknown, unfit] = await Promise.all([
      bin("status", "nope"),
      bin("submit", "greeting", "--key", "", "--payload", "{}"),
    ]);

    expect([unknown.code, unfit.code]).toEqual([1, 1]);
    expect(unknown.stderr).toBe('There is no job "nope", or it was removed\n');
    expect(unfit.stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^\/idempotencyKey: expected at least one character$/),
      expect.stringMatching(/^\/payload\/\w+: /),
      expect.stringMatching(/^\/payload\/\w+: /),
    ]);
  });

  it.each([
    [["worker", "--concurrency", "5"], "HOLDFAST_CONCURRENCY"],
    [["worker", "--concurency=5"], "HOLDFAST_CONCURRENCY"],
    [["api", "--port", "80"], "HOLDFAST_PORT"],
    [["jobs", "list", "--redis-url", "redis://x"], "REDIS_URL"],
  ])("is 2 for an option that is a variable, which the error names: %j", async (args, variable) => {
    const { code, stderr } = await bin(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(`(the variable ${variable} sets it)\n`);
  });

  it("is 2 for wrong usage, explained in a line or two", async () => {
    const wrong = [
      ["xyzzy"],
      ["status", "--nope"],
      ["submit", "echo", "--key", "k"],
      ["submit", "echo", "--key", "k", "--payload", "{bad"],
      ["submit", "--from", "x", "--key", "k"],
    ];

    const outcomes = await Promise.all(wrong.map((args) => bin(...args)));

    for (const [index, { code, stdout, stderr }] of outcomes.entries()) {
      expect([wrong[index], code, stdout]).toEqual([wrong[index], 2, ""]);
      expect(stderr.trimEnd().split("\n").length, stderr).toBeLessThanOrEqual(2);
      expect(stderr).not.toMatch(/\bat .+:\d+:\d+/);
    }
  });

  it("is 3 if Redis cannot be reached", async () => {
    const env = testEnvironment({ REDIS_URL: "redis://:hunter2@127.0.0.1:1" });

    const outcomes = await Promise.all([runProcess(["status", "nope"], env), runProcess(["api"], env)]);

    for (const { code, stdout, stderr } of outcomes) {
      expect([code, stdout, stderr]).toEqual([
        3,
        "",
        "The store cannot be reached: 127.0.0.1:1, from REDIS_URL: ECONNREFUSED\n",
      ]);
    }
  });

  it("is 1 for a faulty environment or application, with one line per fault", async () => {
    const env = { HOLDFAST_NOPE: "1", PORT: "http", LOG_LEVEL: "loud" };
    const absent = testEnvironment({ HOLDFAST_CONFIG: "/no/such/config.ts" });
    const [faulty, missing, throwing] = await Promise.all([
      runProcess(["api"], env),
      runProcess(["worker"], absent),
      temporaryFile("holdfast.config.ts", "throw new Error('half written');").then((file) =>
        runProcess(["worker"], testEnvironment({ HOLDFAST_CONFIG: file })),
      ),
    ]);

    expect([faulty.code, missing.code, throwing.code]).toEqual([1, 1, 1]);
    expect(
      faulty.stderr
        .trimEnd()
        .split("\n")
        .map((line) => line.split(":")[0]),
    ).toEqual(["HOLDFAST_NOPE", "PORT", "LOG_LEVEL"]);
    expect(missing.stderr).toBe("HOLDFAST_CONFIG: there is no file /no/such/config.ts\n");
    expect(throwing.stderr).toMatch(/^\S+holdfast\.config\.ts: cannot be loaded: half written\n$/);
  });

  it("is 0 for the version, which is the package's", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));

    expect(await bin("--version")).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("is 0 for help, which every command has", async () => {
    const commands = [[], ["up"], ["submit"]];

    const outcomes = await Promise.all(commands.map((command) => bin(...command, "--help")));

    for (const [index, { code, stdout, stderr }] of outcomes.entries()) {
      expect([commands[index], code, stderr]).toEqual([commands[index], 0, ""]);
      expect(stdout).toMatch(new RegExp(`^Usage: holdfast ${commands[index]?.join(" ")}`));
    }
  });
});

describe("holdfast keys create", withProcesses, () => {
  it("prints a key once, and the entry that makes the service accept it", async () => {
    const { code, stdout } = await bin(
      "keys",
      "create",
      "--name",
      "shop",
      "--scope",
      "submit+read",
      "--json",
    );
    const { key, entry, ...rest } = JSON.parse(stdout);
    const { url } = await createService(application, { HOLDFAST_API_KEYS: entry }).startApi();

    const { body } = await call(`${url}/session`, "GET", undefined, { authorization: `Bearer ${key}` });

    expect([code, rest]).toEqual([0, { name: "shop", scopes: ["submit", "read"] }]);
    expect(key).toMatch(/^hf_[\w-]{43}$/);
    expect(entry).not.toContain(key);
    expect(body).toEqual({ name: "shop", scopes: ["submit", "read"] });
  });

  it.each([
    [["--name", "a:b", "--scope", "read"], /^--name: expected 1 to 64 letters, .*, got "a:b"$/m],
    [["--name", "shop", "--scope", "read+admin"], /^--scope: expected submit, .*, got "read\+admin"$/m],
    [["--name", "shop"], /^error: required option '--scope <scopes>' not specified$/m],
  ])("refuses %j and prints what it expected", async (args, line) => {
    const { code, stdout, stderr } = await bin("keys", "create", ...args);

    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(line);
  });
});

import { PermanentError } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob, echo } from "../../support/application.ts";
import { pauseWorkerOf } from "../../support/doubts.ts";
import { failing, failingHandler } from "../../support/failing-echo.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { launchInTerminal, runInTerminal, withoutColors } from "../../support/terminal.ts";

const handler = failingHandler(`the mail server said no, and ${"went on and on ".repeat(20)}`);

const parts: (() => Promise<void>)[] = [];
const service = createService(applicationOf(handler), {}, (stop) => parts.push(stop));
const failed: string[] = [];
let inDoubt = "";

beforeAll(async () => {
  const producer = await service.createProducer();
  await service.startWorker();
  for (const key of ["1", "2", "3", "4", "5", "6"])
    failed.push((await producer.submit(failing, key, { idempotencyKey: `order-${key}` })).id);
  ({ id: inDoubt } = await producer.submit(failing, "doubt", { idempotencyKey: "doubt" }));
  for (const id of [...failed, inDoubt]) await untilState(producer, id, "failed");
});

afterAll(async () => {
  for (const stop of parts) await stop();
});

const inTerminal = (args: readonly string[], variables = {}, size = { columns: 80, rows: 50 }) =>
  runInTerminal(args, { ...service.env, ...variables }, size);

describe("a list in a terminal", withProcesses, () => {
  it("is no wider than it, has colors, and keeps ids whole", async () => {
    const { code, shown } = await inTerminal(["jobs", "list"]);

    const lines = withoutColors(shown).trimEnd().split("\n");
    expect([code, lines.length]).toEqual([0, failed.length + 3]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const id of failed) expect(shown).toContain(id);
    expect(shown).toContain("\u001b[31mfailed\u001b[39m");
    expect(lines.at(-1)).toMatch(/^\(no room for .*attempts.*\)$/);
  });

  it("goes through the pager if it is longer, and is plain if that is wanted", async () => {
    const pager = { PAGER: "sed s/^/paged:/" };
    const short = { columns: 80, rows: 6 };
    const [paged, whole, plain] = await Promise.all([
      inTerminal(["jobs", "list"], pager, short),
      inTerminal(["jobs", "list"], pager),
      inTerminal(["jobs", "list", "--no-pager", "--no-color"], pager, short),
    ]);

    expect(paged.shown).toMatch(/^paged:/);
    expect(paged.shown).toContain(failed.at(-1));
    expect(whole.shown).not.toContain("paged:");
    expect(plain.shown).toMatch(/^id {10,}/);
    expect(plain.shown).not.toContain("\u001b");
  });

  it("is whole and plain in a pipe, and in JSON", async () => {
    const [text, json] = await Promise.all([
      run(["jobs", "list"], service.env),
      run(["jobs", "list", "--json"], service.env),
    ]);

    expect(text.stdout).toMatch(/attempts +submitted +key +error$/m);
    expect(text.stdout).toContain("went on and on went on and on");
    expect(text.stdout + json.stdout).not.toContain("\u001b");
    expect(
      json.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toContain(failed[0]);
  });
});

describe("--watch in a terminal", withProcesses, () => {
  it("draws over what it drew, until Ctrl-C, and leaves the last of it", async () => {
    const watching = launchInTerminal(["queues", "list", "--watch"], service.env, { columns: 100, rows: 20 });
    await watching.untilShown("default");
    await run(["queues", "pause", "default", "--reason", "deploy"], service.env);
    await watching.untilShown("paused: deploy");

    watching.pressCtrlC();

    expect(await watching.ended).toBe(0);
    const [, drawn = "", left = ""] = watching.shown.split("\u001b[?1049");
    expect(drawn.split("\u001b[H").length).toBeGreaterThan(2);
    expect(withoutColors(left)).toMatch(/^.*name +waiting.*\n.*default .*paused: deploy/);
    await run(["queues", "resume", "default"], service.env);
  });
});

describe("what to do next", withProcesses, () => {
  it("is shown to people, and not to programs", async () => {
    const submit = (key: string) => ["submit", "echo", "--key", key, "--payload", "1"];
    const [person, program] = await Promise.all([
      inTerminal(submit("for-people")),
      run(submit("for-programs"), service.env),
    ]);

    const [, id = ""] = /^accepted (\S+)$/m.exec(person.shown) ?? [];
    expect(withoutColors(person.shown)).toContain(`holdfast status ${id} --watch`);
    expect(program.stderr).toBe("");
  });

  it("is to resolve the doubt of a job that is retried", async () => {
    const { code, stdout, stderr } = await run(["jobs", "retry", inDoubt], service.env);

    expect([code, stdout]).toEqual([0, `${inDoubt}: retried\n`]);
    expect(stderr).toContain(`holdfast doubts resolve ${inDoubt} send --as done|not-done --evidence`);
  });
});

describe("an act on many jobs that asks first", withProcesses, () => {
  it("is about those that it showed, and not about what failed while it asked", async () => {
    const own = createService(applicationOf(handler));
    const producer = await own.createProducer();
    await own.startWorker();
    const fail = async (key: string) => {
      const { id } = await producer.submit(failing, key, { idempotencyKey: key });
      await untilState(producer, id, "failed");
      return id;
    };
    const seen = await fail("seen");
    const args = ["jobs", "delete", "--type", echo.type, "--state", "failed", "--reason", "old"];
    const asking = launchInTerminal(args, own.env, { columns: 100, rows: 20 });
    await asking.untilShown("Delete 1 job?");
    const later = await fail("later");

    asking.type("y");

    expect(await asking.ended).toBe(0);
    expect(await producer.status(seen)).toBeUndefined();
    expect(await producer.status(later)).toMatchObject({ state: "failed" });
  });
});

describe("an answer to a doubt in a terminal", withProcesses, () => {
  it("is undone by Ctrl-C, and given at once with --now", async () => {
    const own = createService(applicationOf(handler));
    const producer = await own.createProducer();
    await own.startWorker();
    const { id } = await producer.submit(failing, "doubt", { idempotencyKey: "undone" });
    await untilState(producer, id, "failed");
    const answer = ["doubts", "resolve", id, "send", "--as", "done", "--evidence", "the log"];
    const size = { columns: 200, rows: 20 };
    const waiting = launchInTerminal(answer, own.env, size);
    await waiting.untilShown("Ctrl-C undoes it");

    waiting.pressCtrlC();

    expect(await waiting.ended).not.toBe(0);
    expect(waiting.shown).toContain("undone: nothing was changed");
    expect((await producer.status(id))?.effects[0]?.state).toBe("in-doubt");
    const { code, shown } = await runInTerminal([...answer, "--now"], own.env, size);
    expect([code, withoutColors(shown).trim()]).toEqual([0, expect.stringMatching(/^\S+ send: done; /)]);
  });
});

describe("a doubt that asks again", withProcesses, () => {
  const MANY = 5_000;

  it("is the one that was shown, also behind 5,000 others, and not one that came while it asked", async () => {
    const own = createService(applicationOf(handler));
    const producer = await own.createProducer();
    await own.startWorker();
    const { id } = await producer.submit(failing, "doubt", { idempotencyKey: "mine" });
    await untilState(producer, id, "failed");
    const redis = own.connect();
    const keys = queueKeys(own.env.HOLDFAST_PREFIX, "default");
    await pauseWorkerOf(redis, keys, id);
    const before = redis.pipeline();
    const entry = JSON.stringify({ at: 1, job: "another", reason: "lost", delivery: 1, worker: "gone" });
    for (const name of Array.from({ length: MANY }, (_, number) => `other-${number}`))
      before.hset(keys.ledger(name), "e:send", entry).zadd(keys.doubts, 1, `${name}/send`);
    await before.exec();
    const args = ["doubts", "resolve", id, "send", "--as", "not-done", "--evidence", "the log"];
    const asking = launchInTerminal(args, own.env, { columns: 200, rows: 20 });
    await asking.untilShown("Resolve it as not done?");
    const [mine = ""] = await redis.zrange(keys.doubts, "-1", "-1");
    const ledger = keys.ledger(mine.slice(0, mine.indexOf("/")));
    const seen = JSON.parse((await redis.hget(ledger, "e:send")) ?? "{}");
    await redis.hset(ledger, "e:send", JSON.stringify({ ...seen, at: seen.at + 1_000 }));

    asking.type("y");

    expect(await asking.ended).toBe(1);
    expect(asking.shown).toContain("is in doubt anew since you looked");
  });
});

describe("an unknown name", withProcesses, () => {
  it("is wrong usage, with what was meant, instead of nothing found", async () => {
    const wrong: [args: string[], code: number, message: RegExp][] = [
      [
        ["jobs", "list", "--type", "ecko"],
        2,
        /^--type: there is no job type "ecko"; did you mean "echo"\?$/m,
      ],
      [["jobs", "retry", "--code", "HANDLER_FAILD", "--dry-run"], 2, /did you mean "HANDLER_FAILED"\?$/m],
      [["submit", "ecko", "--key", "k", "--payload", "1"], 2, /did you mean "echo"\?$/m],
      [["queues", "show", "defualt"], 2, /did you mean "default"\?$/m],
    ];

    const outcomes = await Promise.all(wrong.map(([args]) => run(args, service.env)));

    for (const [index, [args, code, message]] of wrong.entries()) {
      expect([args, outcomes[index]?.code, outcomes[index]?.stdout]).toEqual([args, code, ""]);
      expect(outcomes[index]?.stderr).toMatch(message);
    }
  });

  it("is known as long as Redis remembers it", async () => {
    const former = anyJob({ type: "former-type" });
    const elsewhere = createService(applicationOf(former.handler(async () => 1)));
    await (await elsewhere.createProducer()).submit(former, 1, { idempotencyKey: "k" });

    const { code, stdout } = await run(["jobs", "list", "--type", "former-type"], elsewhere.env);

    expect(code).toBe(0);
    expect(stdout).toContain("former-type");
  });
});

describe("what a job says", withProcesses, () => {
  it("commands no terminal, in an export either", async () => {
    const said = "no \u001b]0;owned\u0007 \u009b31m\u202e end";
    const hostile = failing.handler(async () => {
      throw new PermanentError(said);
    });
    const own = createService(applicationOf(hostile));
    const producer = await own.createProducer();
    await own.startWorker();
    const { id } = await producer.submit(failing, null, { idempotencyKey: "hostile" });
    await untilState(producer, id, "failed");

    for (const args of [
      ["jobs", "export", "--format", "csv"],
      ["jobs", "export", "--format", "ndjson"],
      ["jobs", "show", id],
      ["jobs", "show", id, "--json"],
      ["jobs", "list", "--json"],
    ]) {
      const { code, shown } = await runInTerminal(args, own.env, { columns: 400, rows: 90 });
      expect(code, args.join(" ")).toBe(0);
      expect(withoutColors(shown).replaceAll(/\r?\n/g, ""), args.join(" ")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(shown, args.join(" ")).toContain("owned");
    }
    const { stdout } = await run(["jobs", "export", "--format", "csv"], own.env);
    expect(stdout).toContain(said);
  });
});

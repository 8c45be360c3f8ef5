import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as bullmq6 from "bullmq";
import { createGuard, defineEffect, type Guard, guardJob } from "holdfast/guard";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { checkout, newFolder, pack, removeFolders } from "../../../lab/compat/lib/folder.ts";
import { copyPage } from "../../../lab/compat/lib/pages.ts";
import { freePort } from "../../support/free-port.ts";
import { latch } from "../../support/latch.ts";
import { withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

/** A shell in a folder, as somebody has it who reads the page. */
function openShell(folder: string) {
  const { PATH, HOME, NODE_EXTRA_CA_CERTS } = process.env;
  const env = { PATH, HOME, ...(NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS }) };
  const child = spawn("bash", ["-s"], { cwd: folder, env, detached: true, stdio: "pipe" });
  const shell = { printed: "", type, close };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      shell.printed += text;
    });
  /** @returns what is printed until the line has ended, by whatever runs beside it, too */
  async function type(line: string): Promise<string> {
    const [before, marker] = [shell.printed.length, `ended ${randomUUID()}`];
    child.stdin.write(`${line}\necho "${marker}"\n`);
    await until(`the shell has ended: ${line}`, () => shell.printed.includes(marker), 240_000);
    return shell.printed.slice(before);
  }
  /** Kills what it has left in the background, too. */
  function close(): void {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // All of it has ended.
    }
  }
  return shell;
}

/** The lines to type of a part of the page. */
function linesOfPage(title: string): string[] {
  const page = readFileSync(join(checkout, "docs/guard.md"), "utf8");
  const [, part = ""] = page.split(`## ${title}\n`);
  const blocks = part.split("\n## ")[0]?.matchAll(/^```sh\n([\s\S]*?)\n```$/gm) ?? [];
  return [...blocks].flatMap(([, code = ""]) => code.split("\n"));
}

let folder: string;
let shell: ReturnType<typeof openShell>;
let lines: string[];

beforeAll(async () => {
  const { tarball } = await pack();
  folder = newFolder("guard");
  shell = openShell(folder);
  lines = linesOfPage("How do I see it in five minutes?");
  const [init = "", install = ""] = lines.splice(0, 2);
  await shell.type(init);
  expect(install).toBe("npm install holdfast zod bullmq express");
  await shell.type(install.replace("holdfast", tarball).replace("bullmq", "bullmq@5"));
  copyPage("guard.md", "guard/first", folder);
}, 240_000);

afterAll(() => {
  shell.close();
  removeFolders();
});

// They wait for processes, locks and stalls: each has its own queue, and all wait together.
it.concurrent(
  "guards a worker of BullMQ 5 and a route of Express, as the page says word for word",
  withProcesses,
  async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const [port, bank] = [await freePort(), await freePort()];
    const charges = (count: number) =>
      until(`${count} are charged`, () => shell.printed.split("charged: ").length > count);
    const routeAnswers = () =>
      until("the route answers", () =>
        fetch(`http://localhost:${port}/`)
          .then(({ status }) => status === 404)
          .catch(() => false),
      );
    const [variables = "", startBank = "", startWorker = "", add = "", killWorker = "", ...others] = lines;
    const [workAgain = "", startRoute = "", request = "", killRoute = "", routeAgain = "", ...resolving] =
      others;
    const [list = "", resolve = "", retry = ""] = resolving;
    const here = { REDIS_URL: redis.url, BANK_URL: `http://localhost:${bank}`, PORT: port };
    for (const [name, value] of Object.entries(here)) {
      expect(variables).toContain(`${name}=`);
      await shell.type(`export ${name}=${value}`);
    }

    for (const line of [startBank, startWorker, add]) await shell.type(line);
    await charges(1);
    for (const line of [killWorker, workAgain, startRoute]) await shell.type(line);
    await routeAnswers();
    await shell.type(request);
    await charges(2);
    for (const line of [killRoute, routeAgain]) await shell.type(line);
    await routeAnswers();

    const inDoubt = await until("the route says that it is in doubt", async () => {
      const answer = await shell.type(request);
      return answer.includes("IN_DOUBT") && answer;
    });
    expect(inDoubt).toContain("409 Conflict");
    const failed = await until("the job has failed", () => /job 1: IN_DOUBT.*/.exec(shell.printed)?.[0]);
    const idIn = (text: string, before: string) =>
      text.split(before)[1]?.match(/^holdfast-guard[.\d]*_[\w-]{22}/)?.[0] ?? "";
    const ids = [idIn(failed, "doubts resolve "), idIn(inDoubt, '"id":"')];
    const listed = await shell.type(list);
    for (const one of [...ids, "order-18", "bull:orders 1 "]) expect(listed).toContain(one);

    for (const id of ids) await shell.type(resolve.replace(" ID ", ` ${id} `));
    await shell.type(retry);
    await until("the job has completed", () => shell.printed.includes("job 1: { id: 'ch_1' }"));
    const replayed = await shell.type(request);
    expect(replayed).toMatch(/200 OK[\s\S]*idempotent-replayed: true[\s\S]*"id":"ch_1"/i);
    await charges(2);
    expect(shell.printed.split("charged: ")).toHaveLength(3);
  },
);

const act = defineEffect({ name: "act", timeoutMs: 3_000, inDoubt: "hold" });
const slow = defineEffect({ name: "slow", timeoutMs: 60_000, inDoubt: "hold" });
const PROCESSOR = "sandboxed-processor.mjs";

describe.concurrent.each(["5", "6"])("beside bare BullMQ %s", withProcesses, (version) => {
  let env: Record<string, string>;
  let redis: Redis;
  let guard: Guard;
  let bullmq: typeof bullmq6;

  beforeAll(async () => {
    env = { REDIS_URL: inject("redisUrl"), HOLDFAST_PREFIX: `guard-beside-${randomUUID()}` };
    redis = new Redis(env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
    guard = await createGuard({ effects: [act, slow], env });
    bullmq = version === "6" ? bullmq6 : createRequire(join(folder, "package.json"))("bullmq");
    cpSync(join(checkout, "test/support/fixtures", PROCESSOR), join(folder, PROCESSOR));
  });
  afterAll(async () => {
    await guard.stop();
    redis.disconnect();
  });

  /** A queue with a worker. What a job has done is counted under its own key, which its data has. */
  function open(processor: bullmq6.Processor | string, options: Partial<bullmq6.WorkerOptions> = {}) {
    const queue = new bullmq.Queue(`orders-${randomUUID()}`, { connection: redis });
    const worker = new bullmq.Worker(queue.name, processor, {
      connection: redis,
      concurrency: 4,
      ...options,
    });
    worker.on("error", () => {});
    onTestFinished(async () => {
      await worker.close(true);
      await queue.obliterate({ force: true });
      await queue.close();
    });
    const add = async (data: Given, attempts = 3) => (await queue.add("order", data, { attempts })).id ?? "";
    /** A delayed job is let go on at once. */
    const ended = (id: string) =>
      until(`job ${id} has ended`, async () => {
        const [state, job] = [await queue.getJobState(id), await queue.getJob(id)];
        if (state === "delayed") await job?.promote().catch(() => {});
        return (
          ["completed", "failed"].includes(state) &&
          job && { state, reason: job.failedReason, result: job.returnvalue }
        );
      });
    return { queue, add, ended };
  }

  const acts = (counter: string) => redis.get(`acts:${counter}`).then(Number);

  it("a flow whose jobs fail after they have acted acts twice in each; with a guard once", async () => {
    const { queue, ended } = open(async (job, token) => {
      const run = () => redis.incr(`acts:${job.data.counter}`);
      if (job.data.isBare) await run();
      else await guardJob(guard, job, token).once(act, {}, run);
      if (job.attemptsMade === 0) throw new Error("later, something else failed");
    });
    const flows = new bullmq.FlowProducer({ connection: redis });
    onTestFinished(() => flows.close());
    const counters = (isBare: boolean) =>
      ["parent", "first", "second"].map((name) => `${queue.name}${name}${isBare}`);
    for (const isBare of [true, false]) {
      const [parent, ...children] = counters(isBare).map((counter) => ({
        name: "order",
        queueName: queue.name,
        data: { counter, isBare },
        opts: { attempts: 2 },
      }));
      const { job } = await flows.add({ ...parent!, children });
      expect((await ended(job.id ?? "")).state).toBe("completed");
    }

    expect(await Promise.all(counters(true).map(acts))).toEqual([2, 2, 2]);
    expect(await Promise.all(counters(false).map(acts))).toEqual([1, 1, 1]);
  });

  it("a job that stalls while it acts acts twice; with a guard once", async () => {
    const runs = new Map<string, { count: number; readonly again: ReturnType<typeof latch> }>();
    const processor: bullmq6.Processor = async (job, token) => {
      const known = runs.get(job.data.counter) ?? { count: 0, again: latch() };
      runs.set(job.data.counter, known);
      known.count += 1;
      if (known.count > 1) known.again.open();
      const run = async () => {
        const count = await redis.incr(`acts:${job.data.counter}`);
        await known.again.opened;
        return count;
      };
      return job.data.isBare ? await run() : await guardJob(guard, job, token).once(slow, {}, run);
    };
    // Its locks are never renewed.
    const { add, ended } = open(processor, {
      lockDuration: 500,
      lockRenewTime: 600_000,
      stalledInterval: 200,
      maxStalledCount: 100,
    });
    const [bare, guarded] = [`stalled-bare-${version}`, `stalled-${version}`];
    const ids = [await add({ counter: bare, isBare: true }), await add({ counter: guarded })];
    for (const id of ids) expect((await ended(id)).state).toBe("completed");

    expect(await acts(bare)).toBeGreaterThan(1);
    expect(await acts(guarded)).toBe(1);
  });

  it("a sandboxed job that is killed in the middle acts twice; with a guard it is in doubt", async () => {
    const { add, ended } = open(join(folder, PROCESSOR), {
      workerForkOptions: { env: { ...process.env, ...env } },
    });
    const [bare, guarded] = [`killed-bare-${version}`, `killed-${version}`];
    const [bareId = "", guardedId = ""] = await Promise.all([
      add({ counter: bare, isBare: true, dies: true }),
      add({ counter: guarded, dies: true }),
    ]);
    expect((await ended(bareId)).state).toBe("completed");
    expect(await acts(bare)).toBe(2);

    expect(await ended(guardedId)).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(/IN_DOUBT.*holdfast-guard/),
    });
    expect(await acts(guarded)).toBe(1);
  });

  it("a sandboxed job is delayed while another process is at its effect, and then gets its result", async () => {
    const { queue, add, ended } = open(join(folder, PROCESSOR), {
      workerForkOptions: { env: { ...process.env, ...env } },
    });
    const [begun, end] = [latch(), latch()];
    const key = `shared-${version}`;
    const other = guard.once(slow, { key }, async () => {
      begun.open();
      await end.opened;
      return "the other's";
    });
    await begun.opened;
    const id = await add({ counter: key, key }, 1);
    await until("it is delayed", async () => (await queue.getJobState(id)) === "delayed");
    end.open();
    await other;

    expect(await ended(id)).toMatchObject({ state: "completed", result: "the other's" });
    expect(await acts(key)).toBe(0);
  });
});

interface Given {
  readonly counter: string;
  readonly isBare?: boolean;
  readonly dies?: boolean;
  /** Of the effect, instead of the job's own. */
  readonly key?: string;
}

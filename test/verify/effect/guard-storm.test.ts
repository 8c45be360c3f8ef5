import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createOperator, defineConfig } from "holdfast";
import { startApi } from "holdfast/server";
import { Redis } from "ioredis";
import { expect, inject, it, onTestFinished } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const PROGRAM = fileURLToPath(new URL("../../support/fixtures/guarded-storm.ts", import.meta.url));
const OVER_HTTP = fileURLToPath(new URL("../../support/fixtures/guarded_storm.py", import.meta.url));
/** Those of a guard, and beside them two in Python over HTTP. */
const PROCESSES = 4;
const PYTHONS = 2;
const STRIKES = 9;
/** It hits the middle of an act by chance, sooner or later. */
const STRIKES_MAX = 60;

/** Processes at the same keys, which are killed and paused, and whose Redis is killed. @returns how often each key acted, and what calls got */
async function storm(how: "guard" | "by hand") {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const run = randomUUID();
  const env = testEnvironment({ REDIS_URL: server.url });
  const answers = new Map<string, Set<string>>();
  const alive = new Set<ChildProcess>();
  const did = new Set<string>();
  const api = await startApi(defineConfig({ jobs: [] }), env);
  onTestFinished(() => api.stop());
  const downstream = new URL(inject("redisUrl"));
  const commands = {
    typescript: [process.execPath, "--import", "tsx", PROGRAM, how, run],
    python: ["python3", OVER_HTTP, api.url, run, downstream.hostname, downstream.port],
  };
  const kinds = new Map<ChildProcess, keyof typeof commands>();
  const start = async (kind: keyof typeof commands) => {
    const [command = "", ...args] = commands[kind];
    const child = spawn(command, args, {
      env: { ...process.env, ...env, DOWNSTREAM_URL: inject("redisUrl") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    kinds.set(child, kind);
    onTestFinished(() => void child.kill("SIGKILL"));
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      const [key = "", answer = ""] = line.split(" ");
      if (answer === "1") did.add(kind);
      answers.set(key, (answers.get(key) ?? new Set()).add(answer));
    });
    await once(lines, "line");
    alive.add(child);
  };
  const starting = Array.from({ length: PROCESSES }, () => start("typescript"));
  if (how === "guard") starting.push(...Array.from({ length: PYTHONS }, () => start("python")));
  await Promise.all(starting);
  await until("each kind has acted", async () => did.size === (how === "guard" ? 2 : 1));
  const redis = new Redis(inject("redisUrl"));
  onTestFinished(() => redis.disconnect());
  const prefix = `acts:${run}:`;
  const readActs = async () => {
    const names = await redis.keys(`${prefix}*`);
    const counts = await Promise.all(names.map((name) => redis.get(name)));
    return new Map(names.map((name, at) => [name.slice(prefix.length), Number(counts[at])]));
  };
  const operator = await createOperator(defineConfig({ jobs: [] }), env);
  onTestFinished(() => operator.stop());
  const hasHit = async () =>
    how === "guard" ? (await operator.doubts(0, 1)).length > 0 : Math.max(...(await readActs()).values()) > 1;
  const isOver = async (strike: number) => strike >= STRIKES_MAX || (await hasHit());
  for (let strike = 0; strike < STRIKES || !(await isOver(strike)); strike += 1) {
    const victim = [...alive][strike % alive.size];
    if (victim === undefined) throw new Error("no process is left");
    await sleep(300);
    if (strike === (STRIKES - 1) / 2) await server.restart();
    else if (strike % 3 === 0) {
      victim.kill("SIGKILL");
      alive.delete(victim);
      await start(kinds.get(victim) ?? "typescript");
    } else {
      victim.kill("SIGSTOP");
      await sleep(2_000);
      victim.kill("SIGCONT");
    }
  }
  for (const child of alive) child.kill("SIGKILL");
  answers.delete("ready");
  const acts = await readActs();
  return { operator, answers, did, acts, most: Math.max(...acts.values()) };
}

it(
  "a storm of kills and pauses repeats no guarded effect, and every key is done or in doubt",
  withProcesses,
  async () => {
    const { operator, answers, did, acts, most } = await storm("guard");
    expect(most).toBe(1);
    expect(did).toEqual(new Set(["typescript", "python"]));

    const states = await until("nothing is reserved", async () => {
      const found = await operator.guardedEffects({ limit: 1_000 });
      return found.every(({ state }) => state !== "reserved") && found;
    });
    const stateOf = new Map(states.map(({ idempotencyKey, state }) => [idempotencyKey, state]));
    const falselyDone = [...stateOf].filter(([key, state]) => state === "done" && acts.get(key ?? "") !== 1);
    expect(falselyDone).toEqual([]);
    const unknown = [...acts.keys()].filter((key) => !stateOf.has(key));
    expect(unknown).toEqual([]);
    // Whoever got a result got the one that there was.
    const results = [...answers.values()].flatMap((got) =>
      [...got].filter((answer) => !/^[A-Z_]+$/.test(answer)),
    );
    expect(new Set(results)).toEqual(new Set(["1"]));
    expect([...stateOf.values()]).toContain("in-doubt");
  },
);

it(
  "the same storm repeats acts behind a lock with a time-out, so it would be seen",
  withProcesses,
  async () => {
    expect((await storm("by hand")).most).toBeGreaterThan(1);
  },
);

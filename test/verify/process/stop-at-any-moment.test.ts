import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Producer } from "holdfast";
import { describe, expect, it } from "vitest";
import acting, { actedKey } from "../../support/fixtures/acting.config.ts";
import { call, post } from "../../support/http.ts";
import {
  BIN,
  childrenOf,
  isAlive,
  launch,
  launchRole,
  START_MS,
  urlOf,
  withProcesses,
} from "../../support/processes.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { createService, testEnvironment, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const CONFIG = fileURLToPath(new URL("../../support/fixtures/acting.config.ts", import.meta.url));
const GRACE_MS = 5_000;
const LIVES = 3;

type Role = "api" | "worker" | "scheduler";
type Environment = ReturnType<typeof environment>;

function environment() {
  const variables = {
    HOLDFAST_STOP_GRACE_MS: String(GRACE_MS),
    HOLDFAST_LOG_LEVEL: "info",
    HOLDFAST_CONFIG: CONFIG,
  };
  return { ...testEnvironment(), ...variables, SMTP_URL: "smtp://127.0.0.1:9" };
}

/** The current API; clients ask again after each failure. */
interface Door {
  url: string;
}

/** Runs a role one process after another, each ended by SIGTERM during its start or its work. */
async function stopAgainAndAgain(role: Role, env: Environment, random: Random, door: Door): Promise<void> {
  for (let life = 0; life < LIVES; life += 1) {
    const child = launch([role], { ...env, TEST_LOADS_SLOWLY: "yes" } as typeof env);
    // The first of each is stopped while it starts.
    const stage = life === 0 ? "loading" : ' ready"';
    await until(`the ${role} says ${stage}`, () => child.stderr.includes(stage), START_MS);
    if (role === "api" && life > 0) door.url = urlOf(child);
    // Random moments are the point, so nothing is waited for.
    await pause(random.between(0, 800));
    const stoppedAt = performance.now();
    child.kill("SIGTERM");
    const { code, stderr } = await child.ended;
    expect({ role, life, code, stderr }).toMatchObject({ code: 0 });
    if (life > 0) expect(performance.now() - stoppedAt).toBeLessThan(GRACE_MS + 2_000);
    expect(stderr).not.toMatch(/"level":(50|60)/);
  }
}

/** Accepted jobs: the id for each key. */
type Accepted = Map<string, string>;

/** Submits one job after another and subscribes in every way; retries after a missing answer. */
async function beClient(name: string, door: Door, accepted: Accepted, isOver: () => boolean): Promise<void> {
  for (let number = 0; !isOver(); number += 1) {
    const keys = [0, 1, 2].map((index) => `${name}-${number}-${index}`);
    await until("the submission was answered", () => isOver() || submit(door.url, keys, accepted), START_MS);
    const id = accepted.get(keys[0] ?? "");
    if (id !== undefined) await follow(`${door.url}/jobs/${id}/status`, number).catch(() => {});
  }
}

/** In one call, or one for each. @returns whether every answer came */
async function submit(url: string, keys: readonly string[], accepted: Accepted): Promise<boolean> {
  const jobs = keys.map((idempotencyKey) => ({ type: "act", idempotencyKey, payload: { ms: 60 } }));
  const answers =
    keys[0]?.startsWith("batch") === true
      ? [post(`${url}/jobs/batch`, { jobs })]
      : jobs.map((job) => post(`${url}/jobs`, job));
  const results = await Promise.allSettled(answers);
  for (const [index, answer] of results.entries()) {
    if (answer.status === "rejected") continue;
    // Even the last answer of a process that ends is complete and true.
    const { status, body } = answer.value;
    const results = (body.results ?? [{ status, ...body }]) as { status: number; id: string }[];
    for (const [place, result] of results.entries()) {
      expect([200, 202]).toContain(result.status);
      const key = keys[index + place] ?? "";
      expect(accepted.get(key) ?? result.id).toBe(result.id);
      accepted.set(key, result.id);
    }
  }
  return results.every(({ status }) => status === "fulfilled");
}

async function follow(url: string, number: number): Promise<void> {
  const ways = [{ prefer: "wait=5" }, { accept: "text/event-stream" }, {}];
  await call(url, "GET", undefined, ways[number % ways.length]);
}

/** Whether there is a tick for each second from `from` to the last. Earlier ones may be too old to catch up. */
function hasEachTickSince(from: number, keys: readonly string[]): boolean {
  const prefix = "schedule:each-second:";
  const instants = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => Date.parse(key.slice(prefix.length)))
    .filter((instant) => instant >= from);
  return instants.length === Math.floor((Math.max(...instants) - from) / 1_000) + 1;
}

async function untilAllCompleted(producer: Producer, accepted: Accepted): Promise<void> {
  for (const id of accepted.values()) {
    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "completed",
      attemptsMade: 1,
    });
  }
}

describe.concurrent("API, worker and scheduler, each stopped by SIGTERM repeatedly", () => {
  it(`exit with 0 and lose nothing, whatever they are doing`, withProcesses, async () => {
    const env = environment();
    const firstTick = Math.ceil(Date.now() / 1_000) * 1_000;
    const random = createRandom(1);
    const door: Door = { url: "http://127.0.0.1:9" };
    const accepted: Accepted = new Map();
    let isOver = false;

    const clients = ["one", "two", "batch"].map((name) => beClient(name, door, accepted, () => isOver));
    const roles = (["api", "worker", "scheduler"] as const).map((role) =>
      stopAgainAndAgain(role, env, random.fork(role), door),
    );
    await Promise.all(roles).finally(() => {
      isOver = true;
    });
    await Promise.all(clients);

    expect(accepted.size).toBeGreaterThan(0);
    const service = createService(acting, env);
    const producer = await service.createProducer();
    await Promise.all([launchRole("worker", env), launchRole("scheduler", env)]);
    await untilAllCompleted(producer, accepted);
    const store = service.connect();
    const actedSoFar = () => store.lrange(actedKey(env.HOLDFAST_PREFIX), 0, -1);
    // A scheduler stopped during its catch-up leaves the rest to the next.
    await until("each tick has acted", async () => hasEachTickSince(firstTick, await actedSoFar()));
    const acted = await actedSoFar();
    expect(new Set(acted).size).toBe(acted.length);
    expect(acted).toEqual(expect.arrayContaining([...accepted.keys()]));
  });
});

describe.concurrent("holdfast up, stopped together with its processes", () => {
  it(`ends with 0 while it still starts, and leaves no process behind`, withProcesses, async () => {
    const { REDIS_URL: _embeddedInstead, SMTP_URL: _mailboxInstead, ...env } = environment();
    const folder = await mkdtemp(join(tmpdir(), "holdfast-stop-"));
    onTestFinished(() => rm(folder, { recursive: true, maxRetries: 5 }));
    const up = launch(["up"], { ...env, HOLDFAST_DATA_DIR: folder });
    const children = await until(
      "it has started some",
      () => {
        const found = childrenOf(up.pid);
        return found.length >= 2 && found;
      },
      START_MS,
    );
    await pause(createRandom(1).between(0, 1_500)); // until a random moment

    // As systemd does, which signals every process of a service.
    const all = [...new Set([...children, ...childrenOf(up.pid)].map(({ pid }) => pid))];
    for (const pid of [up.pid, ...all]) if (isAlive(pid)) process.kill(pid, "SIGTERM");

    const { code, stderr } = await up.ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    await until("none of them runs", () => !all.some(isAlive));
  });
});

describe.concurrent("a role whose supervisor is gone at once", () => {
  it("exits with 0, and does not run alone", withProcesses, async () => {
    const { PATH, HOME } = process.env;
    const child = fork(BIN, ["scheduler"], { env: { PATH, HOME, ...environment() }, silent: true });
    onTestFinished(() => void child.kill("SIGKILL"));
    child.disconnect();

    const [code] = await once(child, "exit");

    expect(code).toBe(0);
  });
});

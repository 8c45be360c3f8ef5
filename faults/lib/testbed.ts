import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobStatus } from "holdfast";
import { endChild } from "../../test/support/command.ts";
import { type RedisServer, startRedisServer } from "../../test/support/redis-server.ts";
import { type Client, openClient } from "./client.ts";
import { type Installation, install, type Mutation } from "./installation.ts";
import { readiness, startProcess } from "./processes.ts";
import { type StoreProxy, startProxy } from "./proxy.ts";
import { type Death, type Role, startRole } from "./role.ts";
import { scratchFolder } from "./scratch.ts";
import { openTraceReader, type TraceReader } from "./trace-reader.ts";
import { inLanes, until } from "./waiting.ts";

export interface TestbedOptions {
  readonly workers: number;
  /** Workers without injected faults, which finish the jobs of the others. @default 0 */
  readonly immune?: number;
  readonly concurrency?: number;
  readonly api?: boolean;
  readonly scheduler?: boolean;
  readonly mutation?: Mutation;
  /** The fault injected into Redis on a worker's request; the worker goes on at `onInjected`. @default Redis is killed */
  readonly inject?: (store: RedisServer, onInjected: () => void) => Promise<unknown>;
  /** How long Redis stays down then, in milliseconds. @default 0 */
  readonly injectionMs?: () => number;
  /** Overrides of Redis's options, such as `["--appendfsync", "everysec"]`. */
  readonly store?: readonly string[];
  /** Added to Redis's environment. */
  readonly storeEnv?: NodeJS.ProcessEnv;
  /** Redis's folder. @default inside the testbed's folder */
  readonly storeDirectory?: string;
  /** Whether the roles reach Redis over a proxy. The laboratory's own client does not. @default false */
  readonly proxied?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** An effect that happened, as the witness recorded it. */
export interface WitnessedEffect {
  readonly key: string;
  /** The job's idempotency key. */
  readonly job: string;
  readonly life: string;
  readonly at: number;
}

/** A time span in which Redis was down. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** One experiment's Redis, witness, client and roles, all real processes, and what happened to them. */
export interface Testbed {
  /** One protection is removed, so things are meant to break. */
  readonly isControl: boolean;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly store: RedisServer;
  /** Undefined unless `proxied`. */
  readonly proxy: StoreProxy | undefined;
  readonly installation: Installation;
  readonly client: Client;
  readonly workers: readonly Role[];
  readonly immune: readonly Role[];
  readonly api: Role | undefined;
  readonly scheduler: Role | undefined;
  readonly trace: TraceReader;
  readonly deaths: readonly Death[];
  readonly outages: readonly Outage[];
  /** Starts another role, for example of another version of the application. It ends with the testbed. */
  startRole(script: RoleScript, name: string, env?: NodeJS.ProcessEnv): Role;
  /** All effects so far. */
  witnessed(): WitnessedEffect[];
  /** Kills Redis and restarts it. @returns when it answers */
  injectIntoRedis(forMs?: number): Promise<Outage>;
  /** Pauses Redis: it accepts connections and never answers. @returns when it goes on, in milliseconds since 1970 */
  pauseStore(forMs: number): Promise<number>;
  /** Counts the time of `work` as an outage for everybody. */
  troubled<T>(work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Short, so that a dead worker's jobs are found soon. */
export const LOCK_MS = 1_000;

const STATUS_LANES = 32;

type RoleScript = "worker" | "api" | "scheduler";

async function openTestbed(options: TestbedOptions): Promise<Testbed> {
  const directory = scratchFolder("testbed");
  for (const name of ["trace", "injected", "logs"]) mkdirSync(join(directory, name));
  const installation = install(join(directory, "installation"), options.mutation);
  const storeDirectory = options.storeDirectory ?? join(directory, "store");
  mkdirSync(storeDirectory, { recursive: true });
  const store = await startRedisServer({
    directory: storeDirectory,
    args: options.store ?? [],
    env: options.storeEnv ?? {},
  });
  const proxy = options.proxied ? await startProxy(store.port) : undefined;
  const witnessFile = join(directory, "witness.ndjson");
  const witness = startProcess(
    installation.script("witness"),
    { LAB_WITNESS_FILE: witnessFile },
    join(directory, "logs/witness.log"),
  );
  const { url: witnessUrl = "" } = await readiness(witness);
  const env: NodeJS.ProcessEnv = {
    REDIS_URL: proxy?.url ?? store.url,
    HOLDFAST_DATA_DIR: join(directory, "data"),
    HOLDFAST_LOCK_MS: String(LOCK_MS),
    HOLDFAST_CONCURRENCY: String(options.concurrency ?? 8),
    HOLDFAST_KEEP_COMPLETED: "1000000",
    HOLDFAST_KEEP_FAILED: "1000000",
    HOLDFAST_CONFIG: installation.config,
    LOG_LEVEL: "error",
    PORT: "0",
    LAB_DIR: directory,
    LAB_WITNESS: witnessUrl,
    ...options.env,
  };

  const deaths: Death[] = [];
  const outages: Outage[] = [];
  let injecting: Promise<Outage> | undefined;
  /** Concurrent requests share one fault. */
  const injectIntoRedis = (forMs = 0, onDead = () => {}) => {
    injecting ??= injectOnce(store, forMs, outages, onDead).finally(() => {
      injecting = undefined;
    });
    return injecting;
  };
  const troubled = async <T>(work: () => Promise<T>) => {
    const from = Date.now();
    try {
      return await work();
    } finally {
      outages.push({ from, to: Date.now() });
    }
  };
  const roles: Role[] = [];
  const role = (script: RoleScript, name: string, extra: NodeJS.ProcessEnv = {}) => {
    const started = startRole({
      name,
      script: installation.script(script),
      env: { ...env, ...extra },
      directory,
      onDeath: (death) => deaths.push(death),
      onRedisInjection: (onInjected) =>
        options.inject === undefined
          ? injectIntoRedis(options.injectionMs?.() ?? 0, onInjected)
          : troubled(async () => options.inject?.(store, onInjected)),
    });
    roles.push(started);
    return started;
  };
  const workers = Array.from({ length: options.workers }, (_, index) => role("worker", `worker${index + 1}`));
  const immune = Array.from({ length: options.immune ?? 0 }, (_, index) =>
    role("worker", `immune${index + 1}`, { LAB_IMMUNE: "yes" }),
  );
  const api = options.api ? role("api", "api") : undefined;
  const scheduler = options.scheduler ? role("scheduler", "scheduler") : undefined;
  const client = await openClient(directory, { ...env, REDIS_URL: store.url }, await installation.library());
  const stop = async () => {
    await client.close();
    await Promise.all(roles.map((each) => each.stop()));
    await endChild(witness, "SIGKILL");
    await proxy?.stop();
    await store.stop();
  };
  try {
    await Promise.all(roles.map((each) => each.ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    isControl: options.mutation !== undefined,
    directory,
    env,
    store,
    proxy,
    installation,
    client,
    workers,
    immune,
    api,
    scheduler,
    trace: openTraceReader(join(directory, "trace")),
    deaths,
    outages,
    witnessed: () => readWitnessed(witnessFile),
    injectIntoRedis,
    async pauseStore(forMs) {
      await troubled(async () => {
        process.kill(store.pid, "SIGSTOP");
        await sleep(forMs);
        process.kill(store.pid, "SIGCONT");
      });
      return Date.now();
    },
    troubled,
    startRole: role,
    stop,
  };
}

/** Opens a testbed, uses it, and always stops it. */
export async function withTestbed<T>(
  options: TestbedOptions,
  use: (testbed: Testbed) => Promise<T>,
): Promise<T> {
  const testbed = await openTestbed(options);
  try {
    return await use(testbed);
  } finally {
    await testbed.stop();
  }
}

async function injectOnce(
  store: RedisServer,
  forMs: number,
  outages: Outage[],
  onDead: () => void,
): Promise<Outage> {
  const from = Date.now();
  await store.kill();
  onDead();
  await sleep(forMs);
  await store.restart();
  const outage = { from, to: Date.now() };
  outages.push(outage);
  return outage;
}

function readWitnessed(file: string): WitnessedEffect[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as WitnessedEffect);
}

/** Waits until every acknowledged job has ended. @returns the ids of those that did not in time */
export async function allEnded({ client }: Testbed, withinMs: number): Promise<Set<string>> {
  const open = new Set(client.acknowledged.map(({ id }) => id));
  const look = async () => {
    await inLanes([...open], STATUS_LANES, async (id) => {
      if (hasEnded(await client.status(id))) open.delete(id);
    });
    return open.size === 0;
  };
  await until(look, { withinMs, everyMs: 100 });
  return open;
}

/** Waits for the end of one job. */
export async function untilEnded(
  { client }: Testbed,
  id: string | undefined,
  withinMs = 30_000,
): Promise<void> {
  if (id !== undefined) await until(async () => hasEnded(await client.status(id)), { withinMs, everyMs: 60 });
}

/** A missing job will not end; the checker counts it as lost. */
function hasEnded(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobStatus } from "holdfast";
import { type RedisServer, startRedisServer } from "../../test/support/redis-server.ts";
import { type Client, openClient } from "./client.ts";
import { type Installation, install, type Mutation } from "./installation.ts";
import { endProcess, readiness, startProcess } from "./processes.ts";
import { type StoreProxy, startProxy } from "./proxy.ts";
import { type Death, type Role, startRole } from "./role.ts";
import { scratchFolder } from "./scratch.ts";
import { openTraceReader, type TraceReader } from "./trace-reader.ts";
import { inLanes, until } from "./waiting.ts";

export interface BenchOptions {
  readonly workers: number;
  /** Workers that take no blows, only the jobs of those that did. @default 0 */
  readonly immune?: number;
  readonly concurrency?: number;
  readonly api?: boolean;
  readonly scheduler?: boolean;
  readonly cut?: Mutation;
  /** What befalls the store when a worker asks for the blow; it goes on at `onStruck`. @default it is killed */
  readonly inject?: (store: RedisServer, onStruck: () => void) => Promise<unknown>;
  /** How long the store stays away when a worker asks for the blow, in milliseconds. @default 0 */
  readonly injectionMs?: () => number;
  /** Overrides of the store's options, e.g. `["--appendfsync", "everysec"]`. */
  readonly store?: readonly string[];
  /** Added to the store's environment. */
  readonly storeEnv?: NodeJS.ProcessEnv;
  /** Where the store keeps its files. @default a folder of the bench's own */
  readonly storeDirectory?: string;
  /** Whether the roles reach the store over a proxy. The laboratory's own client does not. @default false */
  readonly proxied?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** What the witness wrote down: an effect that happened. */
export interface Told {
  readonly key: string;
  /** The job's idempotency key. */
  readonly job: string;
  readonly life: string;
  readonly at: number;
}

/** A span in which the store was not there. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** One experiment's own store, witness, client and roles, all real processes, and what happened to them. */
export interface Bench {
  /** A protection is cut out: what is broken then is meant to be. */
  readonly isControl: boolean;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly store: RedisServer;
  /** The roles' way to the store; undefined where it is not `proxied`. */
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
  /** Starts another role, e.g. one of another version of the application. It ends with the bench. */
  startRole(script: RoleScript, name: string, env?: NodeJS.ProcessEnv): Role;
  /** All effects that happened so far. */
  told(): Told[];
  /** Kills the store and starts it again. @returns when it answers */
  injectIntoRedis(forMs?: number): Promise<Outage>;
  /** Stops the store: it accepts connections and says nothing. @returns when it goes on, in milliseconds since 1970 */
  pauseStore(forMs: number): Promise<number>;
  /** Counts the time of `work` as one in which the store was not there for everybody. */
  troubled<T>(work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Short, so that a dead worker's jobs are soon found. */
export const LOCK_MS = 1_000;

const STATUS_LANES = 32;

type RoleScript = "worker" | "api" | "scheduler";

async function openBench(options: BenchOptions): Promise<Bench> {
  const directory = scratchFolder("bench");
  for (const name of ["trace", "struck", "logs"]) mkdirSync(join(directory, name));
  const installation = install(join(directory, "installation"), options.cut);
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
  let striking: Promise<Outage> | undefined;
  /** Two strikes at once are one. */
  const injectIntoRedis = (forMs = 0, onDead = () => {}) => {
    striking ??= injectOnce(store, forMs, outages, onDead).finally(() => {
      striking = undefined;
    });
    return striking;
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
      onRedisInjection: (onStruck) =>
        options.inject === undefined
          ? injectIntoRedis(options.injectionMs?.() ?? 0, onStruck)
          : troubled(async () => options.inject?.(store, onStruck)),
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
    await endProcess(witness, "SIGKILL");
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
    isControl: options.cut !== undefined,
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
    told: () => readTold(witnessFile),
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

/** Opens a bench, uses it, and takes it away whatever happens. */
export async function withBench<T>(options: BenchOptions, use: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = await openBench(options);
  try {
    return await use(bench);
  } finally {
    await bench.stop();
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

function readTold(file: string): Told[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Told);
}

/** Waits until all that was acknowledged has ended. @returns the ids of jobs that did not within the time */
export async function allEnded({ client }: Bench, withinMs: number): Promise<Set<string>> {
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
  { client }: Bench,
  id: string | undefined,
  withinMs = 30_000,
): Promise<void> {
  if (id !== undefined) await until(async () => hasEnded(await client.status(id)), { withinMs, everyMs: 60 });
}

/** A job that is gone will not end any more; the checker calls it lost. */
function hasEnded(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { JobStatus } from "holdfast";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { type StoreProxy, startProxy } from "../../lib/proxy.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { type Client, openClient } from "./client.ts";
import { type Downstream, startDownstream } from "./downstream.ts";
import { isFlowControlOn, startPauses } from "./flow-control.ts";
import { type Installation, install, type Mutation } from "./installation.ts";
import { createOutages, type Outages } from "./outages.ts";
import { type Death, type Role, startRole } from "./role.ts";
import { scratchFolder } from "./scratch.ts";
import { openTraceReader, type TraceReader } from "./trace-reader.ts";
import { startWitness, type WitnessedEffect } from "./witness.ts";

export interface TestbedOptions {
  readonly workers: number;
  /** Workers without injected faults, which finish the jobs of the others. @default 0 */
  readonly immune?: number;
  readonly concurrency?: number;
  /** Whether tenants, limits of keys, flows and pauses are in use. @default whether the laboratory was started with `--flow` */
  readonly flowControl?: boolean;
  readonly api?: boolean;
  readonly scheduler?: boolean;
  /** Whether jobs call a downstream that misbehaves. @default false */
  readonly downstream?: boolean;
  readonly mutation?: Mutation;
  /** The fault injected into Redis on a worker's request; the worker goes on at `onInjected`. @default Redis is killed */
  readonly inject?: (store: RedisServer, onInjected: () => void) => Promise<unknown>;
  /** How long Redis stays down then, in milliseconds. @default 0 */
  readonly injectionMs?: () => number;
  /** Servers that stand in place of the testbed's own Redis, such as a cluster. Whoever started them stops them. */
  readonly servers?: Pick<RedisServer, "url">;
  /** Where effects reach the witness. @default 127.0.0.1 */
  readonly witnessHost?: string;
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
  /** Undefined unless asked for. */
  readonly downstream: Downstream | undefined;
  readonly trace: TraceReader;
  readonly deaths: readonly Death[];
  /** Processes of roles that ended by themselves, and what they said last. */
  ended(): string[];
  readonly outages: Outages;
  /** Starts another role, for example of another version of the application. It ends with the testbed. */
  startRole(kind: RoleKind, name: string, env?: NodeJS.ProcessEnv): Role;
  /** All effects so far. */
  witnessed(): WitnessedEffect[];
  stop(): Promise<void>;
}

/** Short, so that a dead worker's jobs are found soon. */
export const LOCK_MS = 1_000;

/** For experiments in which no worker dies: a busy machine could lose a short lock. */
export const LONG_LOCK = { HOLDFAST_LOCK_MS: "15000" };

const STATUS_LANES = 32;

type RoleKind = "worker" | "api" | "scheduler" | "relay" | "guarded" | "guarded.py" | "notified";

async function openTestbed(options: TestbedOptions): Promise<Testbed> {
  const directory = scratchFolder("testbed");
  for (const name of ["trace", "injected", "logs"]) mkdirSync(join(directory, name));
  const { flowControl = isFlowControlOn() } = options;
  const installation = install(options.mutation, flowControl);
  const store = options.servers
    ? severalServers(options.servers)
    : await startStore(options, join(directory, "store"));
  const outages = createOutages(store);
  const proxy = options.proxied ? await startProxy(store.port) : undefined;
  const witness = await startWitness(installation, directory, options.witnessHost);
  const downstream = options.downstream
    ? await startDownstream(installation, directory, witness.url)
    : undefined;
  const env = {
    ...environment(directory, options.concurrency),
    REDIS_URL: proxy?.url ?? store.url,
    HOLDFAST_CONFIG: installation.config,
    LAB_WITNESS: witness.url,
    LAB_DOWNSTREAM: downstream?.url,
    ...options.env,
  };
  const deaths: Death[] = [];
  const roles: Role[] = [];
  const role = (kind: RoleKind, name: string, extra: NodeJS.ProcessEnv = {}) => {
    const started = startRole({
      name,
      script: installation.script(kind),
      env: { ...env, ...extra },
      directory,
      onDeath: (death) => deaths.push(death),
      onRedisInjection: (onInjected) =>
        options.inject === undefined
          ? outages.kill(options.injectionMs?.(), onInjected)
          : outages.during(async () => options.inject?.(store, onInjected)),
    });
    roles.push(started);
    return started;
  };
  const named = startNamedRoles(role, options);
  const library = await installation.library();
  const direct = { ...env, REDIS_URL: store.url };
  const client = await openClient(directory, direct, library, flowControl);
  const pauses = flowControl ? await startPauses(library, direct) : undefined;
  const stop = async () => {
    await pauses?.stop();
    await client.close();
    await Promise.all(roles.map((each) => each.stop()));
    await downstream?.stop();
    await witness.stop();
    await proxy?.stop();
    await store.stop();
  };
  try {
    await Promise.all(roles.map((each) => each.ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  const isControl = options.mutation !== undefined;
  const trace = openTraceReader(join(directory, "trace"));
  const parts = { isControl, directory, env, store, proxy, installation, client, trace, deaths, outages };
  return {
    ...parts,
    ...named,
    downstream,
    ended: () => roles.flatMap((each) => each.ended),
    witnessed: witness.effects,
    startRole: role,
    stop,
  };
}

async function startStore(options: TestbedOptions, usualDirectory: string): Promise<RedisServer> {
  const directory = options.storeDirectory ?? usualDirectory;
  mkdirSync(directory, { recursive: true });
  return await startRedisServer({ directory, args: options.store ?? [], env: options.storeEnv ?? {} });
}

/** What stands in place of one server cannot be killed as one. Its address may change: the roles keep the first one. */
function severalServers(servers: Pick<RedisServer, "url">): RedisServer {
  const refuse = () => Promise.reject(new Error("These are several servers"));
  return {
    get url() {
      return servers.url;
    },
    ...{ host: "", port: 0, pid: 0, kill: refuse, restart: refuse, stop: async () => {} },
  };
}

function environment(directory: string, concurrency = 8): NodeJS.ProcessEnv {
  return {
    HOLDFAST_DATA_DIR: join(directory, "data"),
    HOLDFAST_LOCK_MS: String(LOCK_MS),
    HOLDFAST_CONCURRENCY: String(concurrency),
    HOLDFAST_KEEP_COMPLETED: "1000000",
    HOLDFAST_KEEP_FAILED: "1000000",
    HOLDFAST_LOG_LEVEL: "error",
    HOLDFAST_PORT: "0",
    LAB_DIR: directory,
  };
}

function startNamedRoles(
  start: Testbed["startRole"],
  { workers, immune = 0, api, scheduler }: TestbedOptions,
) {
  return {
    workers: Array.from({ length: workers }, (_, index) => start("worker", `worker${index + 1}`)),
    immune: Array.from({ length: immune }, (_, index) =>
      start("worker", `immune${index + 1}`, { LAB_IMMUNE: "yes" }),
    ),
    api: api ? start("api", "api") : undefined,
    scheduler: scheduler ? start("scheduler", "scheduler") : undefined,
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
export function hasEnded(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

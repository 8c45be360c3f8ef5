import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { type Started, startHoldfast } from "../../lib/processes.ts";
import type { Call } from "./answers.ts";
import { shopAtNight } from "./application.ts";
import { createOutbox, parkRows } from "./parked.ts";
import { type Cast, fillStore, submitTheNight } from "./seed.ts";
import { runCli } from "./terminal.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export interface Key {
  /** What its owner sends. */
  readonly key: string;
  /** What is configured. */
  readonly entry: string;
}

/** A service with a store full of messy jobs, whose API and worker are processes of their own. */
export interface Night {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  readonly redisUrl: string;
  readonly cast: Cast;
  /** The key that the operator has. */
  readonly key: Key;
  readonly call: Call;
  /** Starts the API again at the same address, with these keys. */
  restartApi(entries: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** The servers of a night. */
export interface Servers {
  readonly redisUrl: string;
  /** Each night has a database of its own there. */
  readonly postgresUrl: string;
}

/** @param jobs how many there are in Redis, about */
export async function startNight({ redisUrl, postgresUrl }: Servers, jobs: number): Promise<Night> {
  const dataDir = await mkdtemp(join(tmpdir(), "holdfast-tasks-"));
  const env = {
    REDIS_URL: redisUrl,
    DATABASE_URL: await createOutbox(postgresUrl),
    HOLDFAST_PREFIX: `night-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONFIG: join(root, "lab/bench/tasks/holdfast.config.ts"),
    HOLDFAST_DATA_DIR: dataDir,
  };
  const key = JSON.parse((await runCli(env, ["keys", "create", ...NIGHT_KEY, "--json"])).stdout) as Key;
  const client = new Redis(redisUrl);
  const producer = await createProducer(shopAtNight(), env);
  const worker = await startHoldfast("worker", env, root);
  let api = await startApi(env, [key.entry], "0");
  const { url } = api.ready;
  const call: Call = async <T>(path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}/${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${key.key}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(path.includes("format=ndjson") ? arrayOf(text) : text) as T;
  };
  const cast = await submitTheNight(producer, call, env);
  await parkRows(env, call);
  await fillStore(client, env.HOLDFAST_PREFIX, cast, jobs);
  return {
    url,
    env,
    redisUrl,
    cast,
    key,
    call,
    async restartApi(entries) {
      await api.end("SIGTERM");
      api = await startApi(env, entries, new URL(url).port);
    },
    async stop() {
      await Promise.all([api.end(), worker.end(), producer.stop()]);
      client.disconnect();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Of lines that are JSON each. */
function arrayOf(lines: string): string {
  return `[${lines.trim().split("\n").join(",")}]`;
}

export const NIGHT_KEY = ["--name", "ops-night", "--scope", "read+operate+submit"];

function startApi(
  env: Night["env"],
  keys: readonly string[],
  port: string,
): Promise<Started<{ readonly url: string }>> {
  return startHoldfast("api", { ...env, PORT: port, HOLDFAST_API_KEYS: keys.join(",") }, root);
}

import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createOperator, type StandaloneOperator } from "holdfast";
import { Redis } from "ioredis";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { submittedAt } from "../../../src/core/job/job-id.ts";
import { until } from "../../../test/support/until.ts";
import { patiently } from "../../faults/lib/inside/patiently.ts";
import { scheduledApplication } from "./scheduled-job.ts";

/** What a scheduler costs while ten of its schedules tick each second, and how late ticks are. */
export interface SchedulesCost {
  readonly schedules: number;
  /** Of the scheduler's process, in milliseconds for each second. */
  readonly cpuMs: number;
  /** Of Redis, in commands for each second; those in scripts count too. */
  readonly commands: number;
  readonly lateMs: Lateness;
}

/** In milliseconds after the tick's instant. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

const TICKING = 10;
const TENANTS = 1_000;
const PUT_AT_ONCE = 20;
const WARM_UP_MS = 3_000;

/** @param schedules how many there are; ten of them are due each second, the others once a day */
export async function measureSchedules(
  redisUrl: string,
  schedules: number,
  seconds: number,
): Promise<SchedulesCost> {
  const env = environment(redisUrl);
  const awayFromNow = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
  await putAll(env, schedules, (index) =>
    index < TICKING ? { everyMs: 1_000 } : { cron: awayFromNow, timeZone: "Europe/Berlin" },
  );
  const client = new Redis(redisUrl);
  const scheduler = await startChild(env);
  try {
    await untilLookedAt(client, env);
    await sleep(WARM_UP_MS);
    await ask(scheduler);
    const [from, before] = [Date.now(), await commandsOf(client)];
    await sleep(seconds * 1_000);
    const cpuMs = (await ask(scheduler)) / seconds;
    const commands = ((await commandsOf(client)) - before) / seconds;
    return { schedules, cpuMs, commands, lateMs: latenessOf(await latesOf(client, env, from)) };
  } finally {
    scheduler.kill("SIGKILL");
    client.disconnect();
  }
}

/** All schedules tick at one instant. */
export async function measureBurst(redisUrl: string, schedules: number): Promise<Lateness> {
  const env = environment(redisUrl);
  const everyMs = 60_000;
  await putAll(env, schedules, () => ({ everyMs }));
  const client = new Redis(redisUrl);
  const scheduler = await startChild(env);
  const { waiting } = queueKeys(env.HOLDFAST_PREFIX, "default");
  try {
    await untilLookedAt(client, env);
    const [from, before] = [Date.now(), await client.llen(waiting)];
    const enough = async () => (await client.llen(waiting)) >= before + schedules;
    await until("all have ticked", enough, 2 * everyMs);
    return latenessOf(await latesOf(client, env, from));
  } finally {
    scheduler.kill("SIGKILL");
    client.disconnect();
  }
}

/** Each schedule is looked at once after it was put. */
async function untilLookedAt(
  client: Redis,
  { HOLDFAST_PREFIX }: ReturnType<typeof environment>,
): Promise<void> {
  const index = `${HOLDFAST_PREFIX}:{stored_schedules}:due`;
  const late = async () => (await client.zcount(index, "-inf", Date.now() - 1_000)) === 0;
  await until("all were looked at", late, 60_000);
}

function environment(redisUrl: string) {
  return {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "error",
  };
}

type Times = Pick<Parameters<StandaloneOperator["schedules"]["put"]>[1], "cron" | "timeZone" | "everyMs">;

async function putAll(
  env: ReturnType<typeof environment>,
  count: number,
  timesOf: (index: number) => Times,
): Promise<void> {
  const operator = await createOperator(scheduledApplication, env);
  try {
    for (let start = 0; start < count; start += PUT_AT_ONCE) {
      const indexes = Array.from({ length: Math.min(PUT_AT_ONCE, count - start) }, (_, each) => start + each);
      await Promise.all(
        indexes.map((index) => {
          const tenant = `tenant-${index % TENANTS}`;
          const definition = { ...timesOf(index), type: "digest", payload: { tenant } };
          return patiently(() => operator.schedules.put(`${tenant}-${index}`, definition));
        }),
      );
    }
  } finally {
    await operator.stop();
  }
}

async function startChild(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("scheduler.ts", import.meta.url));
  const child = fork(file, { env: { ...process.env, ...env }, execArgv: ["--import", "tsx"] });
  await once(child, "message");
  return child;
}

async function ask(child: ChildProcess): Promise<number> {
  child.send("report");
  const [cpuMs] = (await once(child, "message")) as [number];
  return cpuMs;
}

async function commandsOf(client: Redis): Promise<number> {
  const stats = await client.info("commandstats");
  return [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

/** How late the jobs of ticks after an instant were made. */
async function latesOf(
  client: Redis,
  { HOLDFAST_PREFIX }: ReturnType<typeof environment>,
  from: number,
): Promise<number[]> {
  const { waiting, job } = queueKeys(HOLDFAST_PREFIX, "default");
  const ids = await client.lrange(waiting, 0, -1);
  const data = await Promise.all(ids.map((id) => client.hget(job(id), "data")));
  return data.flatMap((text, index) => {
    const [, at = ""] = /"key":"schedule:[^:]+:([^"]+)"/.exec(text ?? "") ?? [];
    return Date.parse(at) > from ? [submittedAt(ids[index] ?? "") - Date.parse(at)] : [];
  });
}

function latenessOf(lates: readonly number[]): Lateness {
  const sorted = [...lates].sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}

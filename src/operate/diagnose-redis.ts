import type { Durability } from "../config/variables.ts";
import { durationText } from "../lib/duration-text.ts";
import { CLOCK_TOLERANCE_MS, clockWrong, sampleClock } from "../redis/clock.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { type RedisMemory, readMemory } from "../redis/memory.ts";
import { checkRedis, type Info, onlineReplicas, type RedisCheck, readInfo } from "../redis/requirements.ts";
import { byLimits, type Finding, finding, ok } from "./finding.ts";

const PINGS = 9;
const MEBIBYTE = 1_048_576;

/** Looks at the store: what the durability rests on, its room, its clock, its distance. */
export async function diagnoseRedis(client: RedisConnection, durability: Durability): Promise<Finding[]> {
  const checks = await checkRedis(client, durability);
  const info = await readInfo(client);
  const { pingMs, offsetMs, uncertainMs } = await measureDistance(client);
  return [
    ...checks.map((check) => ofCheck(check, durability)),
    ...unasked(info, durability),
    lastWrite(info),
    memory(await readMemory(client), info),
    finding(
      "latency",
      byLimits(pingMs, { warn: 20, bad: 250 }),
      `${pingMs.toFixed(1)} ms for a PING (median of ${PINGS})`,
      {
        reason: "each submission and each step of a job waits for the store at least once",
        remedy:
          "bring the processes nearer to the store, or look for what holds it up: SLOWLOG GET, LATENCY DOCTOR",
      },
    ),
    clock(offsetMs, uncertainMs),
  ];
}

/** What the configured durability asks nothing of; so that nobody has to wonder. */
function unasked(info: Info, { level }: Durability): Finding[] {
  const why = `HOLDFAST_DURABILITY=${level} asks for none`;
  const persistence = ok("persistence", `${why}: a restart of the store may lose everything`);
  const replicas = ok("replicas", `${onlineReplicas(info)} online; ${why}`);
  return [...(level === "memory" ? [persistence] : []), ...(level === "replica" ? [] : [replicas])];
}

function ofCheck(
  { setting, expected, found, holds, risk, remedy }: RedisCheck,
  { level }: Durability,
): Finding {
  return finding(setting, holds ? "ok" : "bad", found, {
    reason: `HOLDFAST_DURABILITY=${level} expects ${expected}: ${risk}`,
    remedy,
  });
}

function lastWrite(info: Info): Finding {
  const status = info.get("aof_last_write_status") ?? "ok";
  return finding("last write to disk", status === "ok" ? "ok" : "bad", status, {
    reason: "the store refuses writes until it can write to its disk again",
    remedy: "look at the disk (full?) and at the store's log",
  });
}

function memory({ used, limit, acceptsUntil }: RedisMemory, info: Info): Finding {
  const max = limit ?? Number(info.get("total_system_memory") ?? 0);
  if (max === 0) return ok("memory", `${mebibytes(used)} used; the store tells no limit`);
  const most = acceptsUntil ?? max * 0.9;
  const found = `${mebibytes(used)} of ${mebibytes(max)}${limit === undefined ? " (the machine's; maxmemory is not set)" : `; new jobs are taken up to ${mebibytes(most)}`}`;
  return finding("memory", byLimits(used / most, { warn: 0.83, bad: 1 }), found, {
    reason: "a full store takes no new jobs (STORE_FULL); those that run still end",
    remedy:
      "give the store more memory, run more workers, or keep fewer finished jobs (HOLDFAST_KEEP_COMPLETED)",
  });
}

function clock(offsetMs: number, uncertainMs: number): Finding {
  const offMs = Math.abs(offsetMs);
  const verdict = byLimits(Math.max(0, offMs - uncertainMs), { warn: 1_000, bad: CLOCK_TOLERANCE_MS });
  const found = `${durationText(offMs)} ${offsetMs < 0 ? "behind" : "ahead of"} the store's clock`;
  const { message } = clockWrong(offsetMs);
  return finding("clock", verdict, found, {
    reason: verdict === "bad" ? `CLOCK_WRONG: ${message}` : "from 2 s on, processes here do no work",
    remedy: "synchronise the clocks (NTP)",
  });
}

/** Of several pings the median, and the clock's difference as seen by the quickest. */
async function measureDistance(client: RedisConnection) {
  const pings: { readonly ms: number; readonly offsetMs: number; readonly uncertainMs: number }[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const { aheadMs, uncertainMs } = await sampleClock(client);
    const offsetMs = Date.now() - performance.now() - aheadMs;
    pings.push({ ms: 2 * uncertainMs, offsetMs, uncertainMs });
  }
  const sorted = pings.sort((a, b) => a.ms - b.ms);
  return {
    pingMs: sorted[PINGS >> 1]?.ms ?? 0,
    offsetMs: sorted[0]?.offsetMs ?? 0,
    uncertainMs: sorted[0]?.uncertainMs ?? 0,
  };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE).toLocaleString("en")} MiB`;
}

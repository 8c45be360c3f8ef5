import type { Durability } from "../config/variables.ts";
import { durationText } from "../lib/duration-text.ts";
import { CLOCK_TOLERANCE_MS, type ClockReading, clockWrong, sampleClock } from "../redis/clock.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { type RedisMemory, readMemory } from "../redis/memory.ts";
import {
  checkRedis,
  type Expectations,
  type Info,
  onlineReplicas,
  type RedisCheck,
  readInfo,
} from "../redis/requirements.ts";
import { findRefusedWrites, type RefusedWrites } from "../redis/write-probe.ts";
import { byLimits, type Finding, finding, ok } from "./finding.ts";

const PINGS = 9;
const MEBIBYTE = 1_048_576;

/** Checks Redis: the settings that durability needs, its disk, memory, latency and clock. */
export async function diagnoseRedis(client: RedisConnection, expectations: Expectations): Promise<Finding[]> {
  const { HOLDFAST_DURABILITY: durability } = expectations;
  const checks = await checkRedis(client, expectations);
  const info = await readInfo(client);
  const samples = await sampleClocks(client);
  return [
    ...checks.map((check) => requirement(check, durability)),
    ...notRequired(info, durability),
    writes(await findRefusedWrites(client)),
    lastWrite(info),
    memory(await readMemory(client), info),
    latency(samples),
    clock(samples),
  ];
}

function requirement(check: RedisCheck, { level }: Durability): Finding {
  const { setting, expected, found, holds, isStated, risk, remedy } = check;
  const shown = isStated ? `${found} (stated, not seen)` : found;
  return finding(setting, holds ? "ok" : "bad", shown, {
    reason: `HOLDFAST_DURABILITY=${level} expects ${expected}: ${risk}`,
    remedy,
  });
}

/** Names what the configured durability does not need, so that nobody wonders about it. */
function notRequired(info: Info, { level }: Durability): Finding[] {
  const why = `HOLDFAST_DURABILITY=${level} asks for none`;
  const persistence = ok("persistence", `${why}: a restart of Redis may lose everything`);
  const replicas = ok("replicas", `${onlineReplicas(info)} online; ${why}`);
  return [...(level === "memory" ? [persistence] : []), ...(level === "replica" ? [] : [replicas])];
}

function writes(refused: RefusedWrites | undefined): Finding {
  if (refused === undefined) return ok("writes", "accepted");
  return finding("writes", "bad", `refused: ${refused.why}`, {
    reason: "no job can be accepted, claimed or finished",
    remedy: refused.remedy,
  });
}

function lastWrite(info: Info): Finding {
  const status = info.get("aof_last_write_status") ?? "ok";
  return finding("last write to disk", status === "ok" ? "ok" : "bad", status, {
    reason: "Redis refuses writes until it can write to its disk again",
    remedy: "look at the disk (full?) and at Redis's log",
  });
}

function memory({ used, limit, acceptsUntil }: RedisMemory, info: Info): Finding {
  const total = limit ?? Number(info.get("total_system_memory") ?? 0);
  if (total === 0) return ok("memory", `${mebibytes(used)} used; Redis reports no limit`);
  const fullAt = acceptsUntil ?? total * 0.9;
  const rule =
    limit === undefined
      ? " (the machine's; maxmemory is not set)"
      : `; new jobs are accepted up to ${mebibytes(fullAt)}`;
  const verdict = byLimits(used / fullAt, { warn: 0.83, bad: 1 });
  return finding("memory", verdict, `${mebibytes(used)} of ${mebibytes(total)}${rule}`, {
    reason: "a full Redis accepts no new jobs (STORE_FULL); running jobs still finish",
    remedy: "give Redis more memory, run more workers, or keep fewer finished jobs (HOLDFAST_KEEP_COMPLETED)",
  });
}

function latency(samples: readonly ClockReading[]): Finding {
  const pingMs = 2 * (samples[PINGS >> 1]?.uncertainMs ?? 0);
  const found = `${pingMs.toFixed(1)} ms for a round trip (median of ${PINGS})`;
  return finding("latency", byLimits(pingMs, { warn: 20, bad: 250 }), found, {
    reason: "each submission and each step of a job waits for Redis at least once",
    remedy: "bring the processes nearer to Redis, or find what delays it: SLOWLOG GET, LATENCY DOCTOR",
  });
}

/** Judges this process's clock by the fastest sample. */
function clock([best]: readonly ClockReading[]): Finding {
  const { aheadMs, uncertainMs } = best ?? { aheadMs: Date.now() - performance.now(), uncertainMs: 0 };
  const offsetMs = Date.now() - performance.now() - aheadMs;
  const offMs = Math.abs(offsetMs);
  const verdict = byLimits(Math.max(0, offMs - uncertainMs), { warn: 1_000, bad: CLOCK_TOLERANCE_MS });
  const found = `${durationText(offMs)} ${offsetMs < 0 ? "behind" : "ahead of"} Redis's clock`;
  return finding("clock", verdict, found, {
    reason:
      verdict === "bad"
        ? `CLOCK_WRONG: ${clockWrong(offsetMs).message}`
        : "beyond 2 s, processes here do no work",
    remedy: "synchronise the clocks (NTP)",
  });
}

/** @returns the fastest first */
async function sampleClocks(client: RedisConnection): Promise<ClockReading[]> {
  const samples: ClockReading[] = [];
  for (let count = 0; count < PINGS; count += 1) samples.push(await sampleClock(client));
  return samples.sort((a, b) => a.uncertainMs - b.uncertainMs);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE).toLocaleString("en")} MiB`;
}

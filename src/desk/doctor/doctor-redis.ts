import { type Durability, durabilityText } from "../../platform/config/variables.ts";
import { byLimits, type Finding, finding, findings, ok } from "../../platform/errors/finding.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { addressOf } from "../../platform/redis/cluster/cluster-node.ts";
import { type RedisConnection, serversOf } from "../../platform/redis/connection.ts";
import {
  CLOCK_TOLERANCE_MS,
  type ClockReading,
  offsetText,
  sampleClock,
} from "../../platform/redis/fitness/clock.ts";
import { checkRedis } from "../../platform/redis/fitness/fitness.ts";
import { type Info, onlineReplicas, readInfo, versionOf } from "../../platform/redis/fitness/info.ts";
import type { RedisCheck } from "../../platform/redis/fitness/redis-check.ts";
import type { Expectations } from "../../platform/redis/fitness/redis-checks.ts";
import { redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { fullest, mebibytes, type RedisMemory, readMemory } from "../../platform/redis/redis-load.ts";
import { findRefusedWrites, type RefusedWrites } from "../write-probe.ts";

const PINGS = 9;

interface ServerReading {
  readonly address: string;
  readonly info: Info;
  readonly memory: RedisMemory;
  /** The fastest first. */
  readonly samples: readonly ClockReading[];
}

/**
 * Checks Redis: the settings that durability needs, its disk, memory, latency and clock. In a cluster the worst master decides;
 * the clock is that of the first one.
 */
export async function diagnoseRedis(client: RedisConnection, expectations: Expectations): Promise<Finding[]> {
  const { HOLDFAST_DURABILITY: durability } = expectations;
  const checks = await checkRedis(client, expectations);
  const servers = await Promise.all(serversOf(client).map(readServer));
  const [first] = servers;
  if (first === undefined) throw redisUnavailable();
  const [slowest = first] = servers.toSorted((a, b) => pingMsOf(b) - pingMsOf(a));
  const full = fullest(servers.map(({ memory }) => memory));
  return findings(
    checks.map((check) => requirement(check, durability)),
    notRequired(servers, durability),
    writes(await findRefusedWrites(client)),
    lastWrite(servers),
    memory(full, servers.find((server) => server.memory === full)?.info ?? first.info),
    latency(slowest),
    clock(first.samples),
  );
}

export async function diagnoseMasters(client: RedisConnection): Promise<Finding[]> {
  const servers = await Promise.all(serversOf(client).map(readServer));
  if (servers.length === 1) return [];
  return servers.map((server, index) => {
    const { address, info, memory } = server;
    const limit = memory.limit === undefined ? "" : ` of ${mebibytes(memory.limit)}`;
    const facts = [
      versionOf(info),
      `${mebibytes(memory.used)}${limit}`,
      `${pingMsOf(server).toFixed(1)} ms`,
      `${onlineReplicas(info)} replicas online`,
      ...(index === 0 ? ["its clock counts"] : []),
    ];
    return ok(`master ${address}`, facts.join(", "));
  });
}

async function readServer(server: ReturnType<typeof serversOf>[number]): Promise<ServerReading> {
  const [info, memory] = await Promise.all([readInfo(server), readMemory(server)]);
  return { address: addressOf(server), info, memory, samples: await sampleClocks(server) };
}

/** The median of a few round trips, in milliseconds. */
function pingMsOf({ samples }: ServerReading): number {
  return 2 * (samples[PINGS >> 1]?.uncertainMs ?? 0);
}

function requirement(check: RedisCheck, durability: Durability): Finding {
  const { setting, expected, found, holds, isStated, isAccepted, risk, remedy } = check;
  const shown = isStated ? `${found} (stated, not seen)` : found;
  const verdict = isAccepted ? "warn" : "ok";
  return finding(setting, holds ? verdict : "bad", shown, {
    reason: `HOLDFAST_DURABILITY=${durabilityText(durability)} expects ${expected}: ${risk}`,
    remedy,
    ...(!holds && { code: "STORE_UNFIT" }),
  });
}

/** Names what the configured durability does not need, so that nobody wonders about it. */
function notRequired(servers: readonly ServerReading[], durability: Durability): Finding[] {
  const { level } = durability;
  const why = `HOLDFAST_DURABILITY=${durabilityText(durability)} asks for none`;
  const online = servers.reduce((sum, { info }) => sum + onlineReplicas(info), 0);
  return findings(
    level === "memory" && ok("persistence", `${why}: a restart of Redis may lose everything`),
    level !== "replica" && ok("replicas", `${online} online; ${why}`),
  );
}

function writes(refused: RefusedWrites | undefined): Finding {
  if (refused === undefined) return ok("writes", "accepted");
  return finding("writes", "bad", `refused: ${refused.why}`, {
    reason: "no job can be accepted, claimed or finished",
    remedy: refused.remedy,
    code: refused.code,
  });
}

function lastWrite(servers: readonly ServerReading[]): Finding {
  const statuses = servers.map(({ info }) => info.get("aof_last_write_status") ?? "ok");
  const status = statuses.find((found) => found !== "ok") ?? "ok";
  return finding("last write to disk", status === "ok" ? "ok" : "bad", status, {
    reason: "Redis refuses writes until it can write to its disk again",
    remedy: "look at the disk (full?) and at Redis's log",
    code: "STORE_FULL",
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
    remedy:
      "give Redis more memory, run more workers, or keep fewer ended jobs (HOLDFAST_KEEP_BYTES, HOLDFAST_KEEP_COMPLETED)",
    code: "STORE_FULL",
  });
}

function latency(server: ServerReading): Finding {
  const pingMs = pingMsOf(server);
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
      verdict === "bad" ? `CLOCK_WRONG: ${offsetText(offsetMs)}` : "beyond 2 s, processes here do no work",
    remedy: "synchronise the clocks (NTP)",
    code: "CLOCK_WRONG",
  });
}

/** @returns the fastest first */
async function sampleClocks(client: ReturnType<typeof serversOf>[number]): Promise<ClockReading[]> {
  const samples: ClockReading[] = [];
  for (let count = 0; count < PINGS; count += 1) samples.push(await sampleClock(client));
  return samples.sort((a, b) => a.uncertainMs - b.uncertainMs);
}

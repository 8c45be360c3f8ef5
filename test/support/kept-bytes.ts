import type { Redis } from "ioredis";
import { queueKeys } from "../../src/core/bullmq/store/queue-keys.ts";

/**
 * What the ended jobs of partitions take, by `MEMORY USAGE` of everything that goes with them: their own keys, and the sets that they are
 * members of.
 */
export async function keptBytes(
  client: Redis,
  prefix: string,
  partitions: readonly string[],
): Promise<number> {
  const found = partitions.map((partition) => bytesOfPartition(client, prefix, partition));
  return (await Promise.all(found)).reduce((sum, bytes) => sum + bytes, 0);
}

async function bytesOfPartition(client: Redis, prefix: string, partition: string): Promise<number> {
  const { start, completed, failed, job } = queueKeys(prefix, partition);
  const sets = await Promise.all([completed, failed].map((set) => client.zrange(set, 0, "-1")));
  const names = await keysThatStartWith(client, start);
  const ofSets = names.filter((name) => /^(budget|tag):/.test(name.slice(start.length)));
  const suffixes = ["", ":logs", ":dependencies", ":processed", ":failed", ":unsuccessful"];
  const ofJobs = sets.flat().flatMap((id) => suffixes.map((suffix) => job(id) + suffix));
  let bytes = 0;
  for (let at = 0; at < ofJobs.length; at += 1_000)
    bytes += await usageOf(client, ofJobs.slice(at, at + 1_000));
  return bytes + (await usageOf(client, [completed, failed, ...ofSets]));
}

async function keysThatStartWith(client: Redis, start: string): Promise<string[]> {
  const names: string[] = [];
  const pattern = `${start.replaceAll(/[[\]*?\\]/g, "\\$&")}[bt]*`;
  for await (const some of client.scanStream({ match: pattern, count: 1_000 })) names.push(...some);
  return names;
}

async function usageOf(client: Redis, keys: readonly string[]): Promise<number> {
  const pipeline = client.pipeline();
  for (const key of keys) pipeline.memory("USAGE", key, "SAMPLES", 0);
  const replies = (await pipeline.exec()) ?? [];
  return replies.reduce((sum, [, bytes]) => sum + Number(bytes ?? 0), 0);
}

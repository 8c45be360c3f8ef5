import { Cluster } from "ioredis";
import type { RedisConnection } from "../connection.ts";
import { absentKey } from "../encryption/absent-key.ts";

/** In a cluster, adds the key that makes Redis refuse a script while its slot is moving. */
export function withOpenSlotGuard(client: RedisConnection, keys: readonly string[]): readonly string[] {
  if (!(client instanceof Cluster)) return keys;
  const guard = absentKey(keys[0] ?? "");
  return guard === undefined ? keys : [...keys, guard];
}

/** Resolves once the slot of a key is not moving, and at once where there is no cluster. */
export async function whenSlotIsStill(client: RedisConnection, key: string): Promise<void> {
  if (client instanceof Cluster) await client.exists(...withOpenSlotGuard(client, [key]));
}

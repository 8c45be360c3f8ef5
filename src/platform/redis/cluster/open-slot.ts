import { Cluster, type Redis } from "ioredis";

const ABSENT = ":absent";

/**
 * A key that never exists, in the slot of another.
 *
 * While a slot is moving, each of the two masters has some of its keys, and to a script the others look absent. But Redis refuses a
 * script with `TRYAGAIN` on both sides if one of the keys that it is given is missing, and this one always is.
 *
 * @returns undefined where the key has no hash tag: it belongs to no queue, and its scripts touch nothing else
 */
function absentKey(key: string): string | undefined {
  const [start] = /^[^{]*\{[^}]+\}/.exec(key) ?? [];
  return start === undefined ? undefined : `${start}${ABSENT}`;
}

/** Whether these are the keys of a script that Redis refuses while their slot is moving. */
export function isGuarded(keys: readonly unknown[]): boolean {
  return String(keys.at(-1)).endsWith(ABSENT);
}

/** In a cluster, adds the key that makes Redis refuse a script while its slot is moving. */
export function withOpenSlotGuard(client: Redis | Cluster, keys: readonly string[]): readonly string[] {
  if (!(client instanceof Cluster)) return keys;
  const guard = absentKey(keys[0] ?? "");
  return guard === undefined ? keys : [...keys, guard];
}

/** Resolves once the slot of a key is not moving, and at once where there is no cluster. */
export async function whenSlotIsStill(client: Redis | Cluster, key: string): Promise<void> {
  if (client instanceof Cluster) await client.exists(...withOpenSlotGuard(client, [key]));
}

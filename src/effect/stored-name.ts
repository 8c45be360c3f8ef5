import { HoldfastError } from "../errors/holdfast-error.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { indexAssociatedData } from "../redis/associated-data.ts";
import { keyIdOf } from "../redis/codec.ts";
import { inTime } from "../redis/redis-errors.ts";

/**
 * How a ledger names an effect. The index comes from the payload, so it is sealed; the same index always to the same text,
 * since a later attempt must find what an earlier one has done.
 *
 * What was begun under another key, or before there were keys, keeps its name: it is looked for first.
 *
 * @param effect as declared, with `/index` where it has one; a name as it is stored is left as it is
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function storedNameOf(
  { client, codec, keys }: QueueStore,
  dedupKey: string,
  effect: string,
): Promise<string> {
  const { name, index } = partsOf(effect);
  if (index === undefined || keyIdOf(index) !== undefined) return effect;
  const [newest, ...older] = codec
    .formsOf(index, indexAssociatedData(dedupKey, name))
    .map((form) => `${name}/${form}`);
  if (newest === undefined || older.length === 0) return effect;
  const fields = older.map((form) => `e:${form}`);
  const known = await inTime(client.hmget(keys.ledger(dedupKey), ...fields));
  return older.find((_, at) => known[at] !== null) ?? newest;
}

/** An effect's name as people know it; as it is stored where it cannot be opened. */
export function openStoredName({ codec }: QueueStore, dedupKey: string, stored: string): string {
  const { name, index } = partsOf(stored);
  if (index === undefined) return stored;
  try {
    return `${name}/${codec.open(index, indexAssociatedData(dedupKey, name))}`;
  } catch (error) {
    if (error instanceof HoldfastError) return stored;
    throw error;
  }
}

/** An effect's name without its index. */
export function declaredName(effect: string): string {
  return partsOf(effect).name;
}

function partsOf(effect: string): { name: string; index: string | undefined } {
  const cut = effect.indexOf("/");
  return cut < 0
    ? { name: effect, index: undefined }
    : { name: effect.slice(0, cut), index: effect.slice(cut + 1) };
}

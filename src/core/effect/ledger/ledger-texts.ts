import { z } from "zod";
import { type Outgoing, outgoingSchema } from "../../../evidence/outgoing/outgoing.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { keyIdOf } from "../../../platform/redis/encryption/codec.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";
import { effectAssociatedData, indexAssociatedData } from "../../job/associated-data.ts";

type TextPart = Parameters<typeof effectAssociatedData>[2];

/** An effect in a ledger: the deduplication key that the ledger belongs to, and the name that the effect has in it. */
export interface StoredEffect {
  readonly dedupKey: string;
  readonly name: string;
}

/** The empty text stays empty: it says that there is none. */
export function encryptEffectText(
  { codec }: QueueStore,
  { dedupKey, name }: StoredEffect,
  part: TextPart,
  text: string,
): string {
  return text === "" ? "" : codec.encrypt(text, effectAssociatedData(dedupKey, name, part));
}

/** @throws HoldfastError `DECRYPTION_FAILED` */
export function decryptEffectText(
  { codec }: QueueStore,
  { dedupKey, name }: StoredEffect,
  part: TextPart,
  text: string,
): string {
  return codec.decrypt(text, effectAssociatedData(dedupKey, name, part));
}

/** What the process of an effect in doubt saw it send; empty where nothing was seen, or nothing can be read. */
export function readEvidence(store: QueueStore, effect: StoredEffect, text: string | undefined): Outgoing[] {
  if (!text) return [];
  try {
    const read = z
      .array(outgoingSchema)
      .safeParse(JSON.parse(decryptEffectText(store, effect, "seen", text)));
    return read.data ?? [];
  } catch {
    return [];
  }
}

/**
 * Finds the name of an effect in a ledger. An index comes from the payload, so it is encrypted; always to the same text,
 * since a later attempt must find it again. A name from before a change of keys stays: it is looked for first.
 *
 * @param effect as declared, with `/index` where it has one; or its stored name, as people see it where it cannot be decrypted
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function findStoredName(
  { client, codec, keys }: QueueStore,
  dedupKey: string,
  effect: string,
): Promise<string> {
  const { name, index } = partsOf(effect);
  if (index === undefined) return effect;
  // Any text can be an index, also one that reads like an encrypted one: only the ledger says whether it is a stored name.
  const [newest, ...older] = codec
    .formsOf(index, indexAssociatedData(dedupKey, name))
    .map((form) => `${name}/${form}`);
  if (newest === undefined || older.length === 0) return effect;
  const fields = older.map((form) => `e:${form}`);
  const known = await inTime(client.hmget(keys.ledger(dedupKey), ...fields));
  return older.find((_, at) => known[at] !== null) ?? newest;
}

/** Returns an effect's name as people know it; the stored name where it is plain, or cannot be decrypted. */
export function effectName(store: QueueStore, stored: StoredEffect): string {
  return decryptedName(store, stored) ?? stored.name;
}

/** @returns undefined where it cannot be decrypted, or is plain and only reads like an encrypted one */
function decryptedName({ codec }: QueueStore, { dedupKey, name: stored }: StoredEffect): string | undefined {
  const { name, index } = partsOf(stored);
  if (index === undefined || keyIdOf(index) === undefined) return stored;
  try {
    return `${name}/${codec.decrypt(index, indexAssociatedData(dedupKey, name))}`;
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

/** The id of the key with which the index of a stored name is encrypted; "" where that is not encrypted. */
export function keyIdOfName(stored: string, effect: string): string {
  return stored === effect ? "" : (keyIdOf(partsOf(stored).index ?? "") ?? "");
}

/**
 * Whether the name of an effect is encrypted with a key that this process lacks.
 *
 * @param keyIds the ids of the keys with which indexes of its ledger are encrypted, as the ledger notes them
 */
export function isUnreadableName(
  store: QueueStore,
  stored: StoredEffect,
  keyIds: string | null | undefined,
): boolean {
  const id = keyIdOfName(stored.name, "");
  return keyIds?.includes(` ${id} `) === true && decryptedName(store, stored) === undefined;
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

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
 * @param effect as declared, with `/index` where it has one; a stored name is returned as it is
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function findStoredName(
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

/** Returns an effect's name as people know it; the stored name where it cannot be decrypted. */
export function effectName({ codec }: QueueStore, { dedupKey, name: stored }: StoredEffect): string {
  const { name, index } = partsOf(stored);
  if (index === undefined) return stored;
  try {
    return `${name}/${codec.decrypt(index, indexAssociatedData(dedupKey, name))}`;
  } catch (error) {
    if (error instanceof HoldfastError) return stored;
    throw error;
  }
}

/** An effect's name without its index. */
export function declaredName(effect: string): string {
  return partsOf(effect).name;
}

/** Whether a name is a stored one that could not be decrypted. */
export function isEncryptedName(effect: string): boolean {
  return keyIdOf(partsOf(effect).index ?? "") !== undefined;
}

function partsOf(effect: string): { name: string; index: string | undefined } {
  const cut = effect.indexOf("/");
  return cut < 0
    ? { name: effect, index: undefined }
    : { name: effect.slice(0, cut), index: effect.slice(cut + 1) };
}

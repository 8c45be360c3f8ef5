import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import {
  decryptEffectText,
  encryptEffectText,
  type StoredEffect,
} from "../core/effect/ledger/ledger-texts.ts";

/** Whose call it is, and what its effect is about. */
export interface CallTexts {
  readonly key: string;
  readonly by: string | null;
  readonly about: string | null;
}

export function storedTexts(store: QueueStore, effect: StoredEffect, { key, by, about }: CallTexts): string {
  return encryptEffectText(store, effect, "call", JSON.stringify([key, by, about]));
}

/** As people see a call that is stored; what cannot be decrypted is null. */
export function callTexts(store: QueueStore, effect: StoredEffect, text: string) {
  const [key, by, about] = textsIn(store, effect, text);
  return { type: null, idempotencyKey: textOrNull(key), by: textOrNull(by), about: textOrNull(about) };
}

function textsIn(store: QueueStore, effect: StoredEffect, text: string): unknown[] {
  try {
    return JSON.parse(decryptEffectText(store, effect, "call", text));
  } catch {
    return [];
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type Failure, parseFailure } from "../job/failure.ts";
import type { QueueStore } from "./store/queue-store.ts";

/** What decryption returns, or why it fails: one unreadable text must not hide the rest. */
export function decryptedOrWhyNot<T>(decrypt: () => T): T | string {
  try {
    return decrypt();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "DECRYPTION_FAILED") return `[${error.message}]`;
    throw error;
  }
}

/** Why a job failed; a message that cannot be decrypted says so. */
export function readFailure(store: QueueStore, jobId: string, reason: string): Failure {
  return parseFailure(reason, (message) =>
    decryptedOrWhyNot(() => store.decryptText(jobId, "failure", message)),
  );
}

/** A key that holds another type than it should reads as absent. */
export function unlessWrongType(error: Error): null {
  if (error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}

import { setTimeout as sleep } from "node:timers/promises";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** A run of an effect whose function was called. */
export interface BegunRun {
  /** What it was seen to send. */
  readonly record: OutgoingRecord;
  /** Settles when the function does; it may ignore its signal, and never settle. */
  readonly returned: Promise<unknown>;
}

const LOOK_EVERY_MS = 200;

/** Resolves once the function has returned, and each request that it was seen to send was answered or has failed. */
export async function untilOver({ record, returned }: BegunRun): Promise<void> {
  await returned.catch(() => {});
  while (record.isUnderWay()) await sleep(LOOK_EVERY_MS, undefined, { ref: false });
}

import { setTimeout as sleep } from "node:timers/promises";
import type { OutgoingRecord } from "./outgoing/outgoing-record.ts";

/** A run of an effect that was begun. */
export interface Begun {
  /** What it was seen to send. */
  readonly record: OutgoingRecord;
  /** Ends when its function does, however late. */
  readonly run: Promise<unknown>;
}

const LOOK_EVERY_MS = 200;

/** Resolves once the function has returned, and each request that it was seen to send was answered or has failed. */
export async function untilOver({ record, run }: Begun): Promise<void> {
  await run.catch(() => {});
  while (record.isUnderWay()) await sleep(LOOK_EVERY_MS, undefined, { ref: false });
}

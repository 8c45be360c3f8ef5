import type { Schema } from "../../platform/lib/schema.ts";
import type { JobContract, JobHandler } from "./contract.ts";
import type { ApplicationDeclarations } from "./declarations.ts";

/** A valid application. */
export interface Application extends ApplicationDeclarations {
  readonly jobs: ReadonlyMap<string, JobContract>;
  /** The queues of its jobs, then their former queues. */
  readonly queues: readonly string[];
  /** What it declares for queues. */
  readonly queueSettings: ReadonlyMap<string, QueueSettings>;
  readonly handlers: () => Promise<readonly JobHandler[]>;
  readonly onStop?: (() => void | Promise<void>) | undefined;
  readonly env?: Schema | undefined;
}

/** What an application declares for a queue. */
export interface QueueSettings {
  readonly concurrency: number | undefined;
  readonly limits: QueueLimits;
  readonly partitions: number;
}

/** At most so many starts in a time. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** Limits of a whole queue, over all workers. */
export interface QueueLimits {
  /** How many of its jobs may run at a time. */
  readonly concurrency?: number | undefined;
  readonly rate?: Rate | undefined;
}

export interface DividedCheck {
  /** What is wrong with jobs in a queue that has several partitions: one line each. */
  readonly dividedFaultsOf?: (jobs: readonly JobContract[], partitionsOf: PartitionsOf) => readonly string[];
}

/** Returns how many partitions a queue has. */
type PartitionsOf = (queue: string) => number;

/** @returns a line for each type that must not be in a queue with several partitions */
export function dividedFaults(
  checks: readonly DividedCheck[],
  jobs: Iterable<JobContract>,
  partitionsOf: PartitionsOf,
): string[] {
  const all = [...jobs];
  return checks.flatMap(({ dividedFaultsOf }) => dividedFaultsOf?.(all, partitionsOf) ?? []);
}

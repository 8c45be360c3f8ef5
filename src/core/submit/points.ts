import type { z } from "zod";
import type { JobAdder } from "../bullmq/add/job-adder.ts";
import type { QueueStore, WritableQueueStore } from "../bullmq/store/queue-store.ts";
import type { JobContract } from "../job/contract.ts";
import type { FeatureOptions, Receipt } from "../job/submit-options.ts";

/** What a feature adds to submissions. */
export interface SubmitPoints {
  /** What a submission's options may say for it, by name. */
  readonly options?: Readonly<Record<string, z.ZodType>>;
  /** Reserves keys for its feature. At most one feature may define it. @returns why a client may not use this key; undefined if it may */
  readonly clientKeyFaultOf?: (key: string) => string | undefined;
  /** Those options as content: what means the same is written the same. */
  readonly contentOf?: (options: FeatureOptions) => Readonly<Record<string, unknown>>;
  /**
   * What it adds to a job; undefined for most jobs.
   *
   * @param payload as the contract's schema parsed it
   * @throws HoldfastError `INVALID_PAYLOAD`; `INVALID_REQUEST` for options that exclude each other
   */
  readonly partOf?: (contract: JobContract, payload: unknown, options: SentOptions) => JobPart | undefined;
}

/** What a submission's options say, to the core and to features. */
export interface SentOptions extends FeatureOptions {
  readonly delayMs?: number | undefined;
  readonly runAt?: string | undefined;
}

/** What a feature adds to one job. */
export interface JobPart {
  /** The member of the contract because of which the job may be held back; undefined where it never is. */
  readonly heldBy?: string;
  /** It waits so many milliseconds, as if its submission had said `delayMs`. */
  readonly delayMs?: number;
  /** At most one part has it. @default as most jobs are added */
  readonly wayIn?: WayIn;
  /** @param hash keyed with the queue's secret */
  travel(hash: KeyedHash): Travelling;
}

/** Another way to add a job. Jobs of flows and of queues that have partitions cannot have it. */
export interface WayIn {
  /** The option that asks for it. */
  readonly option: string;
  createAdder(store: WritableQueueStore): JobAdder;
  /**
   * Called for a submission that was accepted before.
   *
   * @param store of the job's queue
   * @returns the receipt, with what has become of the submission since
   */
  onRepeat(store: QueueStore, receipt: Receipt): Promise<Receipt>;
}

/** Returns that many hexadecimal digits. Other purposes have other hashes. */
export type KeyedHash = (purpose: string, text: string, digits: number) => string;

/** What travels to Redis with a job. */
export interface Travelling {
  /** For the feature's Lua: JSON under the feature's name. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** Stored in the job's options, which workers and readers get. */
  readonly stored?: Readonly<Record<string, unknown>>;
  /** Its priority is this number at least. */
  readonly leastPriority?: number;
}

import type { z } from "zod";
import type { JobAdder } from "../bullmq/add/job-adder.ts";
import type { QueueStores, WritableQueueStore } from "../bullmq/store/queue-store.ts";
import type { JobContract } from "../job/contract.ts";
import type { KeyedHash } from "../job/dedup-key.ts";
import type { KeyHolder } from "../job/job-id.ts";
import type { FeatureOptions, Receipt } from "../job/submit-options.ts";

/** What a feature adds to submissions. */
export interface SubmitPoints {
  /** What a submission's options may say for it, by name. */
  readonly options?: Readonly<Record<string, z.ZodType>>;
  /** Its options of the command that submits a job. */
  readonly flags?: SubmitFlags;
  /** Its members of a receipt, as answers declare them. */
  readonly receipt?: z.core.$ZodShape;
  /** How a submission ended, for people; undefined for one that it has nothing to say of. */
  readonly receiptText?: (receipt: Receipt) => string | undefined;
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

/** Options of a command line, and what they say. */
export interface SubmitFlags {
  readonly flags: readonly (readonly [flags: string, help: string])[];
  /** @throws HoldfastError `USAGE` */
  read(given: GivenFlags): FeatureOptions;
}

/** Flags of a command line, by their names: `"debounce-ms"`. */
export interface GivenFlags {
  text(name: string): string | undefined;
  texts(name: string): readonly string[] | undefined;
  /** @throws HoldfastError `USAGE` for what is no number */
  number(name: string): number | undefined;
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
  /** Called for the first such job: other processes never load it. */
  load(): Promise<OtherWay>;
}

export interface OtherWay {
  createAdder(store: WritableQueueStore): JobAdder;
  /**
   * @param holder what has the submission's key
   * @returns the receipt, with what became of the submission
   */
  receiptOf(stores: QueueStores, receipt: Receipt, holder: KeyHolder): Receipt | Promise<Receipt>;
}

/** What travels to Redis with a job. */
export interface Travelling {
  /** For the feature's Lua: JSON under the feature's name. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** Stored in the job's options, which workers and readers get. */
  readonly stored?: Readonly<Record<string, unknown>>;
  /** Its priority is this number at least. */
  readonly leastPriority?: number;
}

import type { Settings } from "../platform/config/settings.ts";
import type { Finding } from "../platform/errors/finding.ts";
import type { Logger } from "../platform/lib/logger.ts";
import type { Running } from "../platform/lib/running.ts";
import type { Consumed, ConsumerPart } from "./bullmq/claim/consumer-part.ts";
import type { QueueStores } from "./bullmq/store/queue-store.ts";
import type { Declaration } from "./define/declaration.ts";
import type { Events } from "./events.ts";
import type { Application } from "./job/application.ts";
import type { JobContract, JobHandler } from "./job/contract.ts";
import type { JobStatus } from "./job/job-status.ts";
import type { AttemptPart, TestedAttempt } from "./run/given-attempt.ts";
import type { WorkerOptions } from "./run/worker-options.ts";
import type { JobFilterMember } from "./status/filter-member.ts";
import type { OverviewPart } from "./status/overview-part.ts";
import type { StatusPart } from "./status/read-status.ts";
import type { Joint } from "./submit/joint-submission.ts";
import type { SubmitPoints } from "./submit/points.ts";
import type { Submitter } from "./submit/submitter.ts";

/**
 * What a feature adds to the path of a job. The path calls these points, in the order of the list of features, and knows no feature by
 * name. Every point is optional.
 */
export interface Feature extends Declaration, SubmitPoints {
  readonly name: string;
  /** What a status shows of it. */
  readonly status?: StatusPart;
  /** The same as lines of text: a name, and what it is; null for a job that has nothing of it. */
  readonly lines?: (status: JobStatus) => readonly (readonly [name: string, value: string | null])[];
  /** What an overview shows of it for each job type. */
  readonly overview?: OverviewPart;
  /** What the doctor checks of it. */
  readonly findings?: (system: CheckedSystem) => Promise<readonly Finding[]>;
  /** Its columns of exported lists. */
  readonly columns?: readonly StatusColumn[];
  /** Its members of the filter of jobs, by name. */
  readonly filters?: Readonly<Record<string, JobFilterMember>>;
  /** What each process runs that submits jobs. It is stopped after the last submission. */
  readonly inSubmitter?: (
    process: SubmittingProcess,
  ) => readonly Partial<Running>[] | Promise<readonly Partial<Running>[]>;
  /** Jobs that are submitted together. */
  readonly joint?: Joint;
  /** Loads what a handler gets in a test, without a store. */
  readonly inTest?: () => Promise<{ readonly inTest: FeatureInTest }>;
  /** Loads the module with what workers run. A producer starts without it. */
  readonly inWorker?: () => Promise<{ readonly inWorker: FeatureInWorker }>;
}

export type StatusColumn = readonly [name: string, cell: (status: JobStatus) => string | number | null];

/** @param asStored returns a value as a handler reads it after it was stored */
export type FeatureInTest = (given: TestedAttempt, asStored: (value: unknown) => unknown) => AttemptPart;

/** What a feature runs in a worker. Every point is optional. */
export interface FeatureInWorker {
  /** What each worker runs for a partition that it consumes, such as sweeps. It is stopped after the last attempt. */
  readonly inPartition?: (partition: ConsumedPartition) => readonly PartitionPart[];
  /** What each worker runs once, for all queues of the application. It is stopped after the last attempt. */
  readonly inProcess?: (process: WorkerProcess) => readonly Partial<Running>[];
}

/** What the doctor looks at. */
export interface CheckedSystem {
  readonly application: Application;
  readonly stores: QueueStores;
  readonly settings: Settings;
}

/** A process that submits jobs. */
export interface SubmittingProcess {
  readonly events: Events;
  readonly stores: QueueStores;
  /** By type. */
  readonly jobs: ReadonlyMap<string, JobContract>;
  readonly log: Logger | undefined;
}

/** A partition of a queue that a worker consumes. */
export interface ConsumedPartition extends Consumed {
  /** The handlers of all types that this worker knows. */
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly submitter: Submitter;
  /** Whether it claims no more jobs. */
  readonly isStopping: () => boolean;
  /** Whether a run of an effect or of a handler goes on, although its attempt may be over. */
  readonly hasRunsLeft: () => boolean;
}

/** A worker. */
export interface WorkerProcess {
  readonly application: Application;
  readonly settings: Settings;
  readonly stores: QueueStores;
  /** Of the jobs of the application. */
  readonly events: Events;
  readonly log: Logger;
  readonly options: WorkerOptions;
  /** Those that it claims from. */
  readonly queues: readonly string[];
}

/** What a worker runs for a partition. If it fails, so does the worker. */
export interface PartitionPart extends Partial<Running>, AttemptPart, ConsumerPart {}

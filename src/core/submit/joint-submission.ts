import type { z } from "zod";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import type { QueueStores, WritableQueueStore } from "../bullmq/store/queue-store.ts";
import type { Application } from "../job/application.ts";
import type { Receipt } from "../job/submit-options.ts";
import type { Submitter } from "./submitter.ts";

// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface FeatureProducer {}

// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface FeatureClient {}

/** Jobs that are submitted together. */
export interface Joint {
  /** The option of the command that submits jobs, with which a file is given. */
  readonly flag: readonly [flags: string, help: string];
  /** How that command is called, and what to know of it. */
  readonly example: readonly [args: string, note: string];
  /** Loads what submits them: most processes submit none. */
  load(): Promise<{ readonly joint: JointSubmission }>;
}

/** A method of producers and clients, a route, and what a file given to the command has. */
export interface JointSubmission {
  /** The method, and the route's id in OpenAPI. */
  readonly name: keyof FeatureProducer & keyof FeatureClient & string;
  /** The route, to which it is posted. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly bodyMaxBytes: number;
  /** The members that have jobs, each with what its jobs have beside the members of all submissions. */
  readonly jobs: Readonly<Record<string, readonly string[]>>;
  /** The member that is a list, and how many jobs it may have. */
  readonly list: { readonly name: string; readonly max: number };
  /** How many jobs a body has, accepted or not: each counts against rate limits. */
  countJobs(body: unknown): number;
  /**
   * The members of a body, as JSON schemas.
   *
   * @param job the schema of a job as it is submitted alone
   * @param submission what all submissions have in common
   */
  properties(job: object, submission: SubmissionSchema): Readonly<Record<string, unknown>>;
  readonly required: readonly string[];
  /** What its receipt is called among the components of the OpenAPI document, and has beside that of a job. */
  readonly receipt: { readonly title: string; readonly members: z.core.$ZodShape };
  /** What it answers: where its key was used before, and where it is accepted. */
  readonly answers: { readonly again: string; readonly accepted: string };
  readonly errors: readonly ErrorCode[];
  /** Returns the argument of the producer's method as a client of the API would send it. */
  inputOf(given: unknown): unknown;
  open(application: Pick<Application, "jobs">, path: OpenPath): SubmitTogether;
  /** How it ended, for people. */
  textOf(receipt: Receipt): string;
}

type SubmissionSchema = z.ZodObject<{ idempotencyKey: z.ZodType }>;

/** With what a process submits jobs. */
export interface OpenPath {
  readonly stores: QueueStores<WritableQueueStore>;
  readonly submitter: Submitter;
}

/** @param input as a client of the API sends it @returns the receipt, with its own members */
export type SubmitTogether = (input: unknown, options?: JointOptions) => Promise<Receipt>;

export interface JointOptions {
  /** Whether the caller may change the input: then all of it is checked at once. */
  readonly isShared?: boolean;
  /** From when the time for an answer counts, by the monotonic clock in milliseconds. @default from the call */
  readonly arrivedAt?: number | undefined;
}

import type { WorkerOptions } from "../contestants.ts";

/** A queue as its producers see it, in one shape for Holdfast and each opponent. */
export interface Producer {
  /** Enqueues one email. @param key unique @returns the job's id */
  submit(key: string, type?: JobType): Promise<string>;
  /** Enqueues many at once. */
  submitMany?(keys: readonly string[], type?: JobType): Promise<void>;
  /** Reads a job and its state. */
  status?(id: string): Promise<string>;
}

/**
 * `welcome-email` has an effect, `posted-email` one that sends a request, `refused-email` one whose request is refused now and then,
 * `timed-email` reports its start; to an opponent they are only names.
 */
export type JobType = "plain-email" | "posted-email" | "refused-email" | "timed-email" | "welcome-email";

/** What each contestant's module exports. */
export type Open = (url: string) => Promise<Producer>;

/** Exported by an opponent's module, too: starts a worker that does nothing and returns as much as Holdfast's. */
export type Work = (url: string, options: WorkerOptions) => Promise<unknown>;

/** A job whose request is refused is tried again at once, until it is not. */
export const REFUSED_RETRY = { attempts: 40, delayMs: 1 };

/** The payload of every job, on all sides. */
export const payload = {
  email: "anoop@example.com",
  name: "Anoop",
  message: "Congratulations! Your background job system is live.",
};

/** The key that a guard's contestant has done when it opens; its `status` is a later call of it. */
export const REPLAYED = "replayed";

import type { WorkerOptions } from "../contestants.ts";

/** A queue as its producers see it: Holdfast and each opponent, in one shape, so that one driver loads all alike. */
export interface Producer {
  /** Enqueues one email. @param key that no other job has @returns the job's id */
  submit(key: string, type?: JobType): Promise<string>;
  /** Enqueues many at once. */
  submitMany?(keys: readonly string[], type?: JobType): Promise<void>;
  /** Reads a job and its state. */
  status?(id: string): Promise<string>;
}

/** `welcome-email` has an effect, `timed-email` tells when it starts; to an opponent they are names. */
export type JobType = "plain-email" | "timed-email" | "welcome-email";

/** What each contestant's module exports. */
export type Open = (url: string) => Promise<Producer>;

/** What an opponent's module exports besides: starts its worker, which does nothing and returns as much as Holdfast's. */
export type Work = (url: string, options: WorkerOptions) => Promise<unknown>;

/** The email of every job, on all sides. */
export const payload = {
  email: "anoop@example.com",
  name: "Anoop",
  message: "Congratulations! Your background job system is live.",
};

import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "../../../platform/lib/logger.ts";

const FIRST_PAUSE_MS = 20;
const PAUSE_MAX_MS = 500;
/** A single refusal can be a slot that moves. */
const REPORTED_AFTER = 3;
/** A refusal comes at once. A claim that waits for a job is accepted. */
const ACCEPTED_AFTER_MS = 1_000;

/**
 * Paces claims while Redis answers them with an error, such as `NOREPLICAS`, `MISCONF`, `READONLY` or `OOM`. BullMQ only pauses after
 * connection errors: it would ask again at once, thousands of times a second.
 */
export class ClaimBackoff {
  readonly #queue: string;
  readonly #log: Logger;
  #refused = 0;

  constructor(queue: string, log: Logger) {
    this.#queue = queue;
    this.#log = log;
  }

  async run<T>(claim: () => Promise<T>): Promise<T> {
    if (this.#refused > 0) await pause(Math.min(FIRST_PAUSE_MS * 2 ** this.#refused, PAUSE_MAX_MS));
    const waits = this.#refused > 0 ? setTimeout(() => this.#accepted(), ACCEPTED_AFTER_MS) : undefined;
    try {
      const claimed = await claim();
      this.#accepted();
      return claimed;
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") this.#wasRefused(error);
      throw error;
    } finally {
      clearTimeout(waits);
    }
  }

  #wasRefused(error: Error): void {
    this.#refused += 1;
    if (this.#refused === REPORTED_AFTER)
      this.#log.warn(
        { queue: this.#queue, reason: error.message },
        "Redis refuses to hand out jobs; asking until it does",
      );
  }

  #accepted(): void {
    if (this.#refused >= REPORTED_AFTER) this.#log.info({ queue: this.#queue }, "Redis hands out jobs again");
    this.#refused = 0;
  }
}

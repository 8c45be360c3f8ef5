import type { Job, JobProgress } from "bullmq";
import { jobNotFound } from "../contract/job-id.ts";
import { storeFault } from "../store/fault.ts";
import { jobPlace } from "../store/places.ts";
import type { Sealer } from "../store/sealer.ts";
import { type JobEnvelope, openEnvelope } from "./envelope.ts";
import type { Hold } from "./hold.ts";
import type { TakenJob } from "./taken-job.ts";

const LOGS_MAX = 100;

/**
 * A job as BullMQ gave it to this worker.
 *
 * A class, because an accessor in an object literal costs each object a hidden class of its own, which the garbage
 * collector then takes for old: seen in profiles.
 */
export class ConsumedJob implements TakenJob {
  readonly id: string;
  readonly #job: Job<unknown, unknown, string>;
  readonly #sealer: Sealer;
  readonly hold: Hold;
  readonly lockToken: string;
  #envelope: JobEnvelope | undefined;

  constructor(job: Job<unknown, unknown, string>, lockToken: string, hold: Hold, sealer: Sealer) {
    this.id = job.id ?? "";
    this.#job = job;
    this.#sealer = sealer;
    this.hold = hold;
    this.lockToken = lockToken;
  }

  get type(): string {
    return this.#job.name;
  }

  get envelope(): JobEnvelope {
    this.#envelope ??= openEnvelope(this.#sealer, this.id, this.#job.data);
    return this.#envelope;
  }

  get attemptsMade(): number {
    return this.#job.attemptsMade;
  }

  get crashes(): number {
    return this.#job.stalledCounter;
  }

  get readyAt(): number | undefined {
    return isFirstStart(this.#job) ? this.#job.timestamp + (this.#job.opts.delay ?? 0) : undefined;
  }

  get start(): number {
    return this.#job.attemptsStarted;
  }

  async progress(value: number | object): Promise<void> {
    const sealed = this.#sealer.sealValue(value, jobPlace(this.id, "progress")) as JobProgress;
    await inOurWords(this.#job.updateProgress(sealed));
  }

  async keepLog(line: string): Promise<void> {
    this.#job.opts.keepLogs = LOGS_MAX;
    await inOurWords(this.#job.log(this.#sealer.seal(line, jobPlace(this.id, "log"))));
  }
}

/** BullMQ's and Redis's texts name keys and addresses: they must not become a job's error. */
async function inOurWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // BullMQ gives numbers to its own refusals: here, that the job is gone.
    if (error instanceof Error && "code" in error && typeof error.code === "number") throw jobNotFound();
    throw storeFault(error);
  }
}

/** An operator's retry counts starts from the beginning, but leaves the traces of what failed. */
function isFirstStart({ attemptsStarted, stacktrace }: Job): boolean {
  return attemptsStarted === 1 && (stacktrace === null || stacktrace.length === 0);
}

import { deleteJob } from "../effect/delete-job.ts";
import { retryJob } from "../effect/retry-job.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Attempt } from "../job/attempt.ts";
import { SnoozeError } from "../job/attempt-errors.ts";
import { INTERNAL_QUEUE } from "../job/internal-queue.ts";
import { queueOfId } from "../job/job-id.ts";
import { parseRate } from "../job/queue-settings.ts";
import { wait } from "../lib/wait.ts";
import { cancelJob } from "../queue/cancel-job.ts";
import { addMark } from "../queue/marks.ts";
import { queueOfPartition } from "../queue/partitions.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import { storeProgress } from "../queue/store-progress.ts";
import { openStatusReader } from "../status/read-status.ts";
import {
  countMatches,
  countOf,
  isLeftAlone,
  type Matches,
  type MatchingJob,
  readMatching,
} from "./act-matches.ts";
import {
  type ActPayload,
  type ActProgress,
  ATTEMPT_MAX_MS,
  actProgressSchema,
  boundedFilter,
  phasesOf,
} from "./act-on-many.ts";
import { recordAct, storedReason } from "./audit-log.ts";
import { describeFilter, type JobFilter } from "./job-filter.ts";
import type { JobLists } from "./job-lists.ts";

export interface ActTools {
  readonly lists: JobLists;
  readonly stores: QueueStores;
}

/** Their ids fit into a job's progress. */
const BATCH = 25;

/** One attempt at an act: goes on where the one before ended. */
export async function runAct(tools: ActTools, attempt: Attempt<ActPayload>) {
  const run = new ActRun(tools, attempt);
  try {
    await run.all();
    const { total, done, skipped } = run.progress;
    await run.record("done");
    return { done, skipped, gone: Math.max(0, total - done - skipped) };
  } catch (error) {
    await run.saveAtEnd(error);
    throw error;
  }
}

const markKinds = { retry: "retried", cancel: "cancelled", delete: "deleted" } as const;

class ActRun {
  readonly #tools: ActTools;
  readonly #attempt: Attempt<ActPayload>;
  readonly #filter: JobFilter;
  readonly #store: QueueStore;
  readonly #begun = performance.now();
  /** Whose jobs it has acted on. */
  readonly #queues = new Set<string>();
  progress: ActProgress = { total: 0, done: 0, skipped: 0, phase: 0, cursor: null, pending: [] };

  constructor(tools: ActTools, attempt: Attempt<ActPayload>) {
    this.#tools = tools;
    this.#attempt = attempt;
    this.#store = tools.stores.of(queueOfId(attempt.jobId) ?? INTERNAL_QUEUE);
    const { act, filter, before } = attempt.payload;
    this.#filter = boundedFilter(act, filter, before);
  }

  async all(): Promise<void> {
    await this.#resume();
    const phases = phasesOf[this.#attempt.payload.act];
    while (this.progress.phase < phases.length) {
      await this.#batch(phases[this.progress.phase] ?? []);
      this.#attempt.signal.throwIfAborted();
      if (performance.now() - this.#begun > ATTEMPT_MAX_MS) throw new SnoozeError(1_000);
    }
  }

  /** Finishes the batch that a former attempt left. */
  async #resume(): Promise<void> {
    const status = await openStatusReader(this.#tools.stores)(this.#attempt.jobId);
    const known = actProgressSchema.safeParse(status?.progress);
    if (!known.success) {
      await this.#save({ total: await this.#countAll() });
      return;
    }
    this.progress = known.data;
    const jobs = await readMatching(this.#tools.stores, this.#attempt.payload.act, this.progress.pending);
    // What is gone was deleted by the former attempt.
    const gone = this.progress.pending.length - jobs.length;
    await this.#actOn(jobs, true);
    this.#count(this.#attempt.payload.act === "delete" ? gone : 0, 0);
  }

  async #countAll(): Promise<number> {
    const { act } = this.#attempt.payload;
    let total = 0;
    let cursor: string | null = null;
    do {
      const query = { act, filter: this.#filter, cursor: cursor ?? undefined };
      const counted: Matches = await countMatches(this.#tools, query);
      total += countOf(counted.matching);
      cursor = counted.nextCursor;
      this.#attempt.signal.throwIfAborted();
    } while (cursor !== null);
    return total;
  }

  async #batch(states: (typeof phasesOf)["retry"][number]): Promise<void> {
    const { act, rate } = this.#attempt.payload;
    const { perMs = 0, count = 1 } = (rate === undefined ? undefined : parseRate(rate)) ?? {};
    const eachMs = perMs / count;
    // Half a second's worth, so that the pace is even.
    const limit = eachMs === 0 ? BATCH : Math.min(BATCH, Math.max(1, Math.floor(500 / eachMs)));
    const startedAt = performance.now();
    const { phase, cursor } = this.progress;
    const { lists, stores } = this.#tools;
    const found = await lists.ids(this.#filter, {
      limit,
      cursor: cursor ?? undefined,
      states,
      order: act === "retry" ? "oldest" : undefined,
    });
    const jobs = await readMatching(stores, act, found.found);
    const wanted = jobs.filter((job) => !isLeftAlone(act, this.#filter, job));
    const next =
      found.nextCursor === null ? { phase: phase + 1, cursor: null } : { phase, cursor: found.nextCursor };
    if (wanted.length === 0) {
      this.progress = { ...this.progress, ...next };
      return;
    }
    await this.#save({ ...next, pending: wanted.map(({ id }) => id) });
    await this.#actOn(wanted, false);
    if (eachMs > 0)
      await wait(eachMs * wanted.length - (performance.now() - startedAt), this.#attempt.signal);
  }

  /** @param isAgain whether a former attempt may have acted on them */
  async #actOn(jobs: readonly MatchingJob[], isAgain: boolean): Promise<void> {
    for (const { id } of jobs) this.#queues.add(queueOfPartition(queueOfId(id) ?? ""));
    const outcomes = await Promise.all(jobs.map((job) => this.#act(job)));
    const done = outcomes.filter((outcome) => outcome === "done" || (isAgain && outcome === "done-before"));
    this.#count(done.length, outcomes.length - done.length);
  }

  #count(done: number, skipped: number): void {
    const { progress } = this;
    this.progress = {
      ...progress,
      done: progress.done + done,
      skipped: progress.skipped + skipped,
      pending: [],
    };
  }

  /** `done-before`: the job is as this act, or somebody else, has left it. */
  async #act({ id, reason, finishedAt }: MatchingJob): Promise<"done" | "done-before" | "not-possible"> {
    const { act, before } = this.#attempt.payload;
    const store = this.#tools.stores.of(queueOfId(id) ?? "");
    const recorded = this.#recorded(store);
    if (act === "cancel") {
      const outcome = await cancelJob(store, id, recorded);
      return outcome === "cancelled" || outcome === "cancelling" ? "done" : "done-before";
    }
    if (act === "delete") {
      const outcome = await deleteJob(store, id, { endedBefore: before });
      if (outcome === "deleted") return "done";
      return outcome === "missing" ? "done-before" : "not-possible";
    }
    // It has failed again since.
    if (finishedAt >= before) return "done-before";
    const outcome = await retryJob(store, id, { reason, before, act: recorded });
    if (outcome === "forgotten") return "not-possible";
    return outcome === "retried" ? "done" : "done-before";
  }

  /** What each job keeps of this act. */
  #recorded(store: QueueStore) {
    const { by, reason } = this.#attempt.payload;
    return { by, evidence: storedReason(store, reason), actId: this.#attempt.jobId };
  }

  async #save(changes: Partial<ActProgress>): Promise<void> {
    this.progress = { ...this.progress, ...changes };
    await this.#attempt.progress(this.progress);
  }

  /** An act that is stopped, or goes on elsewhere, has counted its last batch. */
  async saveAtEnd(error: unknown): Promise<void> {
    const code = error instanceof HoldfastError ? error.code : undefined;
    if (code !== "CANCELLED" && code !== "WORKER_STOPPING") return;
    await storeProgress(this.#store, this.#attempt.jobId, this.progress);
    if (code === "CANCELLED") await this.record("stopped");
  }

  async record(outcome: "done" | "stopped"): Promise<void> {
    const { jobId, payload } = this.#attempt;
    await storeProgress(this.#store, jobId, this.progress);
    if (this.progress.done > 0) await this.#mark();
    await recordAct(this.#store, { id: jobId, act: payload, outcome, progress: this.progress });
  }

  /** Marks the charts of the queues. */
  async #mark(): Promise<void> {
    const { act, filter, by } = this.#attempt.payload;
    const mark = { kind: markKinds[act], text: describeFilter(filter), by } as const;
    await Promise.all([...this.#queues].map((queue) => addMark(this.#tools.stores.of(queue), mark)));
  }
}

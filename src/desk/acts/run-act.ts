import { cancelJob } from "../../core/bullmq/end/cancel-job.ts";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { addMark } from "../../core/history/marks.ts";
import type { Attempt } from "../../core/job/attempt.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { SnoozeError } from "../../evidence/attempt-errors.ts";
import { openStatusReader } from "../../features/job-status.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { wait } from "../../platform/lib/wait.ts";
import { recordAct, storedReason } from "../audit/audit-log.ts";
import { deleteJob } from "../jobs/delete-job.ts";
import { describeFilter, type JobFilter, type JobOrder } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";
import { retryJob } from "../jobs/retry-job.ts";
import {
  countMatches,
  countOf,
  type Matches,
  type MatchingJob,
  readMatching,
  wantedByAct,
} from "./act-matches.ts";
import {
  type ActPayload,
  type ActProgress,
  ATTEMPT_MAX_MS,
  actPace,
  actProgressSchema,
  boundedFilter,
  orderOf,
  statesOf,
} from "./act-on-many.ts";
import { followMoved, type MovedMatches } from "./moved-matches.ts";

export interface ActTools {
  readonly lists: JobLists;
  readonly stores: QueueStores;
}

/** Passes in a row that find nothing, where jobs move faster than anybody can look. */
const IDLE_PASSES_MAX = 3;
const IDLE_BATCHES_MAX = 3;

/** One attempt at an act: goes on where the one before ended. */
export async function runAct(tools: ActTools, attempt: Attempt<ActPayload>) {
  const run = new ActRun(tools, attempt);
  try {
    const isCertain = await run.all();
    const { total, done, skipped } = run.progress;
    await run.record("done");
    return { done, skipped, gone: Math.max(0, total - done - skipped), isCertain };
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
  readonly #pace: { readonly limit: number; readonly eachMs: number };
  /** Each counts once, in however many passes it is met. */
  readonly #skipped = new Set<string>();
  /** Whose jobs it has acted on. */
  readonly #queues = new Set<string>();
  progress: ActProgress = { total: 0, done: 0, skipped: 0, phase: 0, cursor: null, pending: [] };

  constructor(tools: ActTools, attempt: Attempt<ActPayload>) {
    this.#tools = tools;
    this.#attempt = attempt;
    this.#store = tools.stores.of(queueOfId(attempt.jobId) ?? INTERNAL_QUEUE);
    const { act, filter, before, rate } = attempt.payload;
    this.#filter = boundedFilter(act, filter, before);
    this.#pace = actPace(rate);
  }

  /**
   * Passes over all lists until a pass has proved that nothing is left: because it met all that stood still and followed all that moved,
   * or because it did nothing.
   *
   * @returns whether nothing is left; otherwise nothing was found
   */
  async all(): Promise<boolean> {
    await this.#resume();
    for (let idle = 0; idle < IDLE_PASSES_MAX; ) {
      const doneBefore = this.progress.done;
      const isWhole = await this.#pass();
      const hasDone = this.progress.done > doneBefore;
      const isProof = this.#attempt.payload.act === "cancel" ? isWhole : isWhole && !hasDone;
      if (isProof) return true;
      idle = hasDone ? 0 : idle + 1;
    }
    return false;
  }

  /** @returns whether it has met every job that matches */
  async #pass(): Promise<boolean> {
    const { act, rate } = this.#attempt.payload;
    // A worker that goes on after another has not seen what moved before.
    let isWhole = this.progress.cursor === null;
    // What would run next is cancelled first.
    if (act === "cancel" && rate !== undefined && this.progress.phase === 0) return await this.#firstPass();
    // Failed jobs stay where they are until somebody does something to them.
    const moved =
      act === "cancel" ? await followMoved(this.#tools, this.#filter, statesOf.cancel) : undefined;
    const { phase } = this.progress;
    while (this.progress.phase === phase) {
      const hasMetAll = await this.#batch(orderOf[act]);
      const hasFollowed = moved === undefined || (await this.#followUp(moved));
      isWhole &&= hasMetAll && hasFollowed;
      this.#mayGoOn();
    }
    return isWhole;
  }

  /** Walks in the order in which jobs run. While workers keep retrying jobs this would never end, so it stops when it finds none. */
  async #firstPass(): Promise<false> {
    const { phase } = this.progress;
    for (let idle = 0; this.progress.phase === phase && idle < IDLE_BATCHES_MAX; ) {
      const doneBefore = this.progress.done;
      await this.#batch(undefined);
      idle = this.progress.done > doneBefore ? 0 : idle + 1;
      this.#mayGoOn();
    }
    this.progress = { ...this.progress, phase: phase + 1, cursor: null };
    return false;
  }

  #mayGoOn(): void {
    this.#attempt.signal.throwIfAborted();
    if (performance.now() - this.#begun > ATTEMPT_MAX_MS) throw new SnoozeError(1_000);
  }

  /** Finishes the batch that a former attempt left. */
  async #resume(): Promise<void> {
    const status = await openStatusReader(this.#tools.stores)(this.#attempt.jobId);
    const known = actProgressSchema.safeParse(status?.progress);
    if (!known.success) {
      await this.#save({ total: await this.#countAll() });
      return;
    }
    // What was cancelled is not met again.
    const isCancel = this.#attempt.payload.act === "cancel";
    this.progress = isCancel ? { ...known.data, cursor: null } : known.data;
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

  /** Acts on the next jobs of the lists. @returns whether none was passed over */
  async #batch(order: JobOrder | undefined): Promise<boolean> {
    const { act } = this.#attempt.payload;
    const { phase, cursor } = this.progress;
    const found = await this.#tools.lists.ids(this.#filter, {
      limit: this.#pace.limit,
      cursor: cursor ?? undefined,
      states: statesOf[act],
      order,
    });
    const next =
      found.nextCursor === null ? { phase: phase + 1, cursor: null } : { phase, cursor: found.nextCursor };
    await this.#actOnSome(found.found, next);
    return !found.mayMiss;
  }

  /** Acts on jobs that were on their way. @returns whether these are all */
  async #followUp(moved: MovedMatches): Promise<boolean> {
    const { ids, isWhole } = await moved.next();
    const { phase, cursor } = this.progress;
    for (let at = 0; at < ids.length; at += this.#pace.limit)
      await this.#actOnSome(ids.slice(at, at + this.#pace.limit), { phase, cursor });
    return isWhole;
  }

  async #actOnSome(ids: readonly string[], next: Pick<ActProgress, "phase" | "cursor">): Promise<void> {
    const { act } = this.#attempt.payload;
    const startedAt = performance.now();
    const jobs = await readMatching(this.#tools.stores, act, [...new Set(ids)]);
    const { wanted } = wantedByAct(act, this.#filter, jobs);
    if (wanted.length === 0) {
      this.progress = { ...this.progress, ...next };
      return;
    }
    await this.#save({ ...next, pending: wanted.map(({ id }) => id) });
    await this.#actOn(wanted, false);
    const { eachMs } = this.#pace;
    if (eachMs > 0)
      await wait(eachMs * wanted.length - (performance.now() - startedAt), this.#attempt.signal);
  }

  /** @param isAgain whether a former attempt may have acted on them */
  async #actOn(jobs: readonly MatchingJob[], isAgain: boolean): Promise<void> {
    for (const { id } of jobs) this.#queues.add(queueOfPartition(queueOfId(id) ?? ""));
    const outcomes = await Promise.all(jobs.map((job) => this.#act(job)));
    let [done, skipped] = [0, 0];
    for (const [index, { id }] of jobs.entries()) {
      const outcome = outcomes[index];
      if (outcome === "done" || (isAgain && outcome === "done-before")) {
        done += 1;
        if (this.#skipped.delete(id)) skipped -= 1;
      } else if (!this.#skipped.has(id)) {
        skipped += 1;
        this.#skipped.add(id);
      }
    }
    this.#count(done, skipped);
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

  async #mark(): Promise<void> {
    const { act, filter, by } = this.#attempt.payload;
    const mark = { kind: markKinds[act], text: describeFilter(filter), by } as const;
    await Promise.all([...this.#queues].map((queue) => addMark(this.#tools.stores.of(queue), mark)));
  }
}

/** Called outside of the act's attempt, or at its end, when the attempt itself reports nothing more. */
async function storeProgress(store: QueueStore, id: string, value: object): Promise<void> {
  const text = JSON.stringify(store.encryptValue(id, "progress", value));
  await store.client.hset(store.keys.job(id), "progress", text);
}

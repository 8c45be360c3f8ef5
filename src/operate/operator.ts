import type { Settings } from "../config/settings.ts";
import { declaredName } from "../effect/ledger-texts.ts";
import { type Resolution, type ResolvedJob, resolveDoubt } from "../effect/resolve-doubt.ts";
import { retryJob } from "../effect/retry-job.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Application } from "../job/define-config.ts";
import { jobNotFound, parseJobId } from "../job/job-id.ts";
import { cancelJob } from "../queue/cancel-job.ts";
import { acceptLoss } from "../queue/data-loss.ts";
import { readIdentity } from "../queue/job-record.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import { inTime } from "../redis/redis-errors.ts";
import { createEvents } from "../telemetry/events.ts";
import { type AuditEntry, readAuditTrail } from "./audit-log.ts";
import { countDoubts, type Doubt, type DoubtCount, listDoubts } from "./doubts.ts";
import type { FailedQuery } from "./failed-query.ts";
import { type FailureGroups, readFailureGroups } from "./failure-groups.ts";
import { type JobPage, type JobQuery, listJobs } from "./list-jobs.ts";
import { type RetriedFailed, retryFailed } from "./retry-failed.ts";

/** On what grounds a loss is accepted, and by whom. Both are kept. */
export interface Acceptance {
  readonly evidence: string;
  readonly by: string;
}

/**
 * A person's hand on jobs and doubts. Each call fails as a whole with `STORE_UNAVAILABLE` when the store does not answer in
 * time, however many steps it takes.
 */
export interface Operator {
  /** Lists jobs: finished ones the latest first, the others the next to run first. */
  list(query: JobQuery): Promise<JobPage>;
  /**
   * Puts a failed job back in the queue with all its attempts before it; effects that are done stay done.
   *
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_FAILED`
   */
  retry(id: string): Promise<void>;
  /**
   * Ends a job: at once where it waits; where it runs, its attempt is told to end.
   *
   * @returns whether it has ended already
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED`
   */
  cancel(id: string): Promise<"cancelled" | "cancelling">;
  /** Groups failed jobs by type and reason. */
  failures(): Promise<FailureGroups>;
  /**
   * Retries many failed jobs, those that failed first first; cancelled jobs and jobs in doubt only where their code is given.
   *
   * @throws HoldfastError `INVALID_REQUEST` without a filter, and for a cursor that is not one
   */
  retryFailed(query: FailedQuery): Promise<RetriedFailed>;
  /** Lists effects in doubt, oldest first within each queue. */
  doubts(offset: number, limit: number): Promise<Doubt[]>;
  doubtCounts(): Promise<ReadonlyMap<string, DoubtCount>>;
  /**
   * Resolves an effect that is in doubt, and lets its job go on where there is one that waits for it.
   *
   * @returns what becomes of the job
   * @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`
   */
  resolve(id: string, effect: string, resolution: Resolution): Promise<ResolvedJob>;
  /**
   * Accepts that the store has lost something that it had acknowledged: jobs are taken again, and effects begin.
   *
   * @returns the queues of which something was lost; none where all is well
   */
  acceptLoss(acceptance: Acceptance): Promise<string[]>;
  /** Who settled which doubt, or accepted which loss, the latest first. */
  auditTrail(limit: number): Promise<AuditEntry[]>;
}

/** Of a job that is gone only the list of doubts knows the ledger; so far it is searched. */
const DOUBTS_SEARCHED_MAX = 100_000;

/** Opens an operator's hand on a connection. */
export function openOperator(
  application: Application,
  stores: QueueStores,
  settings: Settings,
  events = createEvents(),
): Operator {
  const { HOLDFAST_RETENTION_MS: retentionMs } = settings;
  const declared = application.queues.map(stores.of);
  /** The claim stands with the job that asked for the effect; when the job is gone, with its doubt. */
  async function findDedupKey(id: string, store: QueueStore, effect: string): Promise<string> {
    const doubts = await listDoubts(store, 0, DOUBTS_SEARCHED_MAX);
    const doubt = doubts.find((candidate) => candidate.jobId === id && candidate.effect === effect);
    if (doubt === undefined) throw jobNotFound();
    return doubt.dedupKey;
  }

  async function resolve(id: string, effect: string, resolution: Resolution): Promise<ResolvedJob> {
    const store = storeOf(stores, id);
    const { type, dedupKey } = await readIdentity(store, id);
    const doubt = { dedupKey: dedupKey ?? (await findDedupKey(id, store, effect)), effect };
    const resolved = await resolveDoubt(store, retentionMs, doubt, resolution);
    if (resolved.kind === "not-in-doubt") throw notInDoubt(effect, resolved.state);
    events.emit("effect.resolved", type ?? "", declaredName(effect));
    return resolved.job;
  }

  return {
    list: (query) => inTime(listJobs(stores, application.jobs, query)),
    async retry(id) {
      const outcome = await inTime(retryJob(storeOf(stores, id), id));
      if (outcome === "missing") throw jobNotFound();
      if (outcome === "not-failed")
        throw new HoldfastError("JOB_NOT_FAILED", "Only a failed job can be retried");
    },
    async cancel(id) {
      const outcome = await inTime(cancelJob(storeOf(stores, id), id));
      if (outcome === "missing") throw jobNotFound();
      if (outcome === "ended")
        throw new HoldfastError("JOB_ENDED", "The job has ended already; it cannot be cancelled");
      return outcome;
    },
    failures: () => inTime(readFailureGroups(declared)),
    retryFailed: (query) => inTime(retryFailed(stores, application.queues, query)),
    async doubts(offset, limit) {
      const lists = await inTime(Promise.all(declared.map((store) => listDoubts(store, 0, offset + limit))));
      return lists
        .flat()
        .sort((a, b) => a.since.localeCompare(b.since))
        .slice(offset, offset + limit);
    },
    async doubtCounts() {
      const counts = declared.map(async (store) => [store.queue, await countDoubts(store)] as const);
      return new Map(await inTime(Promise.all(counts)));
    },
    resolve: async (id, effect, resolution) => await inTime(resolve(id, effect, resolution)),
    async acceptLoss(acceptance) {
      const accepted = await inTime(Promise.all(declared.map((store) => acceptLoss(store, acceptance))));
      return application.queues.filter((_, index) => accepted[index] !== undefined);
    },
    auditTrail: (limit) => readAuditTrail(declared, limit),
  };
}

/** Any queue, also one that no job of the application names any more. */
function storeOf(stores: QueueStores, id: string): QueueStore {
  const queue = parseJobId(id)?.queue;
  if (queue === undefined) throw jobNotFound();
  return stores.of(queue);
}

function notInDoubt(effect: string, state: string | null): HoldfastError {
  const found = state === null ? "it is not in the ledger" : `it is ${state}`;
  return new HoldfastError(
    "EFFECT_NOT_IN_DOUBT",
    `Effect ${JSON.stringify(effect)} of this job is not in doubt: ${found}`,
  );
}

import type { Settings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { startConsumer } from "../bullmq/claim/job-consumer.ts";
import { Leases } from "../bullmq/claim/lease.ts";
import { Quiet } from "../bullmq/claim/quiet.ts";
import { Slots } from "../bullmq/claim/slots.ts";
import { openEffects } from "../effect/effects.ts";
import { findFormerEntry } from "../effect/ledger/former-ledger.ts";
import { doubtUnreported, Ledger, openQueueLedgers, type QueueLedgers } from "../effect/ledger/ledger.ts";
import type { Events } from "../events.ts";
import type { ConsumedPartition, FeatureInWorker, PartitionPart } from "../feature.ts";
import { countAttempts } from "../history/history-writer.ts";
import type { Application } from "../job/application.ts";
import type { JobContract, JobHandler } from "../job/contract.ts";
import { dedupKeyOf } from "../job/dedup-key.ts";
import { watchCancellations } from "../life/cancellations.ts";
import { startControlSweep, startCurbSweep } from "../life/control-sweep.ts";
import { startExpirySweep } from "../life/expiry-sweep.ts";
import { startLedgerSweep } from "../life/ledger-sweep.ts";
import type { SubmitPath } from "../submit/submit-path.ts";
import { keepFailures } from "../watch/failure-records.ts";
import { noteFirstFailures } from "../watch/first-failures.ts";
import { nameRunningJobs } from "../watch/loop-watch.ts";
import { runPoisonJobsAlone } from "../watch/poison-jobs.ts";
import { reportWorker } from "../watch/report-worker.ts";
import { noteStillRunning } from "../watch/still-running.ts";
import { givenSubmit } from "./next-jobs.ts";
import { type AttemptTools, runAttempt } from "./run-attempt.ts";

/** What one worker process runs its queues with. */
export interface WorkerParts {
  /** Unique to this process. */
  readonly name: string;
  readonly application: Pick<Application, "queueSettings">;
  readonly settings: Settings;
  readonly log: Logger;
  readonly queues: SubmitPath;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly events: Events;
  /** Of the features, in their order. */
  readonly inWorker: readonly FeatureInWorker[];
}

/** How many attempts a worker may run at a time, in all partitions of a queue. */
export function slotsOf(
  queue: string,
  { queueSettings }: Pick<Application, "queueSettings">,
  { HOLDFAST_CONCURRENCY: { named, each } }: Pick<Settings, "HOLDFAST_CONCURRENCY">,
): number {
  return named.get(queue) ?? queueSettings.get(queue)?.concurrency ?? each;
}

/**
 * Claims the jobs of one queue and runs them, in each of its partitions, also in those that it gets later.
 *
 * @param onFailed called when it can no longer work
 */
export function consumeQueue(
  queue: string,
  worker: WorkerParts,
  onFailed: (error: unknown) => void,
): Running {
  const { stores } = worker.queues;
  const shared = {
    slots: new Slots(slotsOf(queue, worker.application, worker.settings)),
    quiet: new Quiet(),
  };
  const consumers = new Map<string, Running>();
  let isStopping = false;

  function consumeAll(): void {
    if (isStopping) return;
    for (const { queue: partition } of stores.partitionsOf([queue])) {
      if (!consumers.has(partition))
        consumers.set(partition, consumePartition(partition, worker, shared, onFailed));
    }
  }

  consumeAll();
  stores.layouts.onChange((changed) => {
    if (changed === queue) consumeAll();
  });
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      await Promise.all([...consumers.values()].map((consumer) => consumer.stop()));
    }),
  };
}

/** Claims the jobs of one partition and runs them, and runs what else its jobs need, such as sweeps. */
function consumePartition(
  queue: string,
  worker: WorkerParts,
  shared: Pick<ConsumedPartition, "slots" | "quiet">,
  onFailed: (error: unknown) => void,
): Running {
  const { name, settings, log, events, queues, handlers, inWorker } = worker;
  const { clock, keysInUse } = queues;
  const store = queues.stores.of(queue);
  const ledgers = openQueueLedgers(store, name, settings.HOLDFAST_RETENTION_MS);
  queues.epochs.onLoss(async (lost) => {
    if (lost === queue) await doubtUnreported(ledgers);
  });
  let isStopping = false;
  const stillRunning = noteStillRunning({ store, workerName: name, log });
  const partition: ConsumedPartition = {
    store,
    workerName: name,
    settings,
    ...shared,
    leases: new Leases(settings.HOLDFAST_LOCK_MS),
    clock,
    keysInUse,
    log,
    handlers,
    submitter: queues.submitter,
    isStopping: () => isStopping,
    hasRunsLeft: () => ledgers.runsLeft.size + stillRunning.count() > 0,
  };
  const ofFeatures = inWorker.flatMap(({ inPartition }) => inPartition?.(partition) ?? []);
  const parts = [...partsOfAllJobs(partition), ...ofFeatures];
  for (const { failed } of parts) failed?.catch(onFailed);
  const tools: AttemptTools = {
    handlers,
    log,
    events,
    now: clock.now,
    parts: parts.filter(({ beforeHandler, given }) => beforeHandler ?? given),
    stillRuns: stillRunning.note,
    openEffects: effectsOpener(ledgers, worker),
  };
  const consumer = startConsumer(partition, parts, (job) => runAttempt(tools, job));
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      await consumer.stop().finally(() => stopAll(parts));
    }),
  };
}

/** What all jobs need beside their attempts. Of what runs around an attempt, the first is the outermost. */
function partsOfAllJobs(partition: ConsumedPartition): PartitionPart[] {
  return [
    reportWorker(partition),
    watchCancellations(partition),
    runPoisonJobsAlone(partition),
    nameRunningJobs(partition),
    keepFailures(partition),
    noteFirstFailures(partition),
    countAttempts(partition),
    { given: givenSubmit((_, input) => partition.submitter.checkOwn(input)) },
    startLedgerSweep(partition),
    startExpirySweep(partition),
    startControlSweep(partition),
    startCurbSweep(partition),
  ];
}

function effectsOpener(ledgers: QueueLedgers, { queues, events }: WorkerParts): AttemptTools["openEffects"] {
  return (job, contract, { abort, log, scrub }) => {
    const open = () => ({
      job,
      ledger: ledgerOf(contract, dedupKeyOf(job.type, job.envelope.key)),
      abort,
      log,
      scrub,
      events,
    });
    return openEffects(contract.effects, open, job.delivery);
  };

  /** The same key may have been used where it belonged before, and where it belongs now. */
  function ledgerOf(contract: JobContract, dedupKey: string): Ledger {
    return new Ledger(ledgers, dedupKey, (effect) => {
      const homes = queues.stores.layouts.homesOf(contract, dedupKey);
      const others = homes.filter((name) => name !== ledgers.store.queue).map(queues.stores.of);
      return others.length === 0 ? undefined : findFormerEntry(others, dedupKey, effect);
    });
  }
}

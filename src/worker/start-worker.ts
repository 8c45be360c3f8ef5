import { hostname } from "node:os";
import { type Environment, readSettings, requireVariables, type Settings } from "../config/settings.ts";
import type { Concurrency } from "../config/variables.ts";
import { openEffects } from "../effect/effects.ts";
import { openLedgers } from "../effect/ledger.ts";
import { startLedgerSweep } from "../effect/ledger-sweep.ts";
import { createUnreportedEffects } from "../effect/unreported-effects.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { dedupKeyOf } from "../job/dedup-key.ts";
import { type Application, requiredVariables } from "../job/define-config.ts";
import type { JobContract, JobHandler } from "../job/define-job.ts";
import { type Running, stopAll, stopOnce } from "../lib/running.ts";
import { type Epochs, openEpochs } from "../queue/epochs.ts";
import { startConsumer } from "../queue/job-consumer.ts";
import { requireKnownQueues } from "../queue/queue-memory.ts";
import { openQueueStores, type QueueStores, type WritableQueueStore } from "../queue/queue-store.ts";
import { type Clock, openClock } from "../redis/clock.ts";
import { connectRedis } from "../redis/connect.ts";
import { createEvents, type Events } from "../telemetry/events.ts";
import { logAttempts } from "../telemetry/log-events.ts";
import { createLogger, type Logger } from "../telemetry/logger.ts";
import type { MeasuredRole } from "../telemetry/metrics-server.ts";
import { atWork } from "./loop-watch.ts";
import { type AttemptTools, runAttempt } from "./run-attempt.ts";
import { startWorkerMetrics } from "./worker-metrics.ts";

/** A worker that runs. */
export interface WorkerRole extends MeasuredRole {
  /**
   * Rejects with `WORKER_STUCK` when it does not hear of jobs any more. Nothing it does then can be relied on: stop it, end
   * the process, and let a supervisor start another. Where nobody looks at it, Node.js ends the process.
   */
  readonly failed: Promise<never>;
}

/**
 * Starts a worker: takes jobs from every queue of the application and runs their handlers.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port
 *   for its metrics is taken
 */
export async function startWorker(application: Application, env?: Environment): Promise<WorkerRole> {
  const settings = readSettings(env);
  const log = createLogger(settings.LOG_LEVEL, "worker");
  const events = createEvents();
  logAttempts(events, log);
  checkConcurrency(settings.HOLDFAST_CONCURRENCY, application.queues);
  requireVariables(requiredVariables(application), env);
  const handlers = await loadHandlers(application);
  const redis = await connectRedis(settings, "retrying", log);
  await requireKnownQueues(application, redis, settings.HOLDFAST_PREFIX);
  const clock = await openClock(redis, log);
  const { queues } = application;
  const epochs = await openEpochs({ client: redis.client, queues, settings, log });
  const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, epochs);
  const metrics = await startWorkerMetrics(application, stores, settings, clock, events).catch(
    async (error: unknown) => {
      await stopAll([redis, clock, epochs]);
      throw error;
    },
  );
  let onStuck = (_queue: string) => {};
  const failed = new Promise<never>((_, reject) => {
    onStuck = (queue) => reject(stuck(queue, settings.HOLDFAST_STUCK_AFTER_MS, log));
  });
  const worker: WorkerParts = {
    name: `${hostname()}:${process.pid}`,
    handlers,
    stores,
    clock,
    settings,
    log,
    events,
    onStuck,
    epochs,
  };
  const consumers = queues.map((queue) => consume(queue, worker));
  const sweeps = queues.map((queue) => sweepLedgers(queue, worker));
  log.info(
    { queues: application.queues, types: [...handlers.keys()], metricsUrl: metrics?.url },
    "worker ready",
  );
  return {
    metricsUrl: metrics?.url,
    failed,
    stop: stopOnce(async () => {
      const results = await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
      for (const result of results) if (result.status === "rejected") log.warn(String(result.reason));
      await stopAll([redis, clock, epochs, ...sweeps, ...(metrics === undefined ? [] : [metrics])]);
    }),
  };
}

interface WorkerParts {
  /** Tells this process apart in what it takes and reserves. */
  readonly name: string;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly stores: QueueStores<WritableQueueStore>;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly log: Logger;
  readonly events: Events;
  readonly epochs: Epochs;
  readonly onStuck: (queue: string) => void;
}

function stuck(queue: string, afterMs: number, log: Logger): HoldfastError {
  const message = `Jobs wait in the queue ${queue}, and with slots free this worker took none for ${afterMs} ms`;
  log.fatal({ queue, code: "WORKER_STUCK" }, message);
  return new HoldfastError("WORKER_STUCK", message);
}

function consume(queue: string, worker: WorkerParts): Running {
  const { name, handlers, stores, clock, settings, log, events, onStuck } = worker;
  const ageMs = settings.HOLDFAST_RETENTION_MS;
  const tools: AttemptTools = {
    handlers,
    log,
    events,
    openEffects: effectsOpener(queue, worker),
  };
  return startConsumer(
    {
      store: stores.of(queue),
      workerName: name,
      clock,
      concurrency: concurrencyOf(queue, settings.HOLDFAST_CONCURRENCY),
      lockMs: settings.HOLDFAST_LOCK_MS,
      stopGraceMs: settings.HOLDFAST_STOP_GRACE_MS,
      keepCompleted: { count: settings.HOLDFAST_KEEP_COMPLETED, ageMs },
      keepFailed: { count: settings.HOLDFAST_KEEP_FAILED, ageMs },
      stuckAfterMs: settings.HOLDFAST_STUCK_AFTER_MS,
      onStuck: () => onStuck(queue),
      onError: (error) => log.debug({ queue, reason: error.message }, "queue error"),
      onRefused: (jobId, error) =>
        log.warn(
          { queue, jobId, reason: String(error) },
          "the store refused how an attempt ended; sent again",
        ),
    },
    (job) => atWork(job.id, handlers.get(job.type)?.job.timeoutMs ?? 0, () => runAttempt(tools, job)),
  );
}

function sweepLedgers(queue: string, { stores, settings, log }: WorkerParts): Running {
  return startLedgerSweep(stores.of(queue), settings.HOLDFAST_RETENTION_MS, log);
}

function concurrencyOf(queue: string, { each, named }: Concurrency): number {
  return named.get(queue) ?? each;
}

/** @throws HoldfastError `CONFIG_INVALID` for a queue that no job of the application is in */
function checkConcurrency({ named }: Concurrency, queues: readonly string[]): void {
  const unknown = [...named.keys()].find((queue) => !queues.includes(queue));
  if (unknown === undefined) return;
  const expected = `expected queues of the application (${queues.join(", ")}), got "${unknown}"`;
  throw new HoldfastError("CONFIG_INVALID", `HOLDFAST_CONCURRENCY: ${expected}`);
}

function effectsOpener(
  queue: string,
  { name, stores, settings, events, epochs }: WorkerParts,
): AttemptTools["openEffects"] {
  const store = stores.of(queue);
  const held = createUnreportedEffects(store);
  epochs.onLoss(async (lost) => {
    if (lost === queue) await held.putInDoubt();
  });
  const ledgerOf = openLedgers(store, settings.HOLDFAST_RETENTION_MS, { epoch: store.epoch, held });
  return (job, contract, abort, log, scrub) =>
    openEffects(
      contract.effects,
      () => {
        const dedupKey = dedupKeyOf(job.type, job.envelope.key);
        const { id: jobId, lockToken, start } = job;
        const assertLeased = () => job.lease.assert();
        const mayReport = () => job.lease.isLocked();
        const owner = {
          jobId,
          dedupKey,
          lockToken,
          start,
          worker: name,
          abort,
          log,
          scrub,
          type: job.type,
          events,
          assertLeased,
          mayReport,
        };
        return { ledger: ledgerOf(dedupKey, otherQueuesOf(contract, queue)?.map(stores.of)), owner };
      },
      job.start,
    );
}

/** Where the same key may have been used before its type moved, or after. */
function otherQueuesOf(contract: JobContract, queue: string): readonly string[] | undefined {
  if (contract.formerQueues.length === 0) return undefined;
  return [contract.queue, ...contract.formerQueues].filter((name) => name !== queue);
}

/** @throws HoldfastError `APPLICATION_INVALID` with a line for each job without a handler, and each handler without a job */
async function loadHandlers(application: Application): Promise<ReadonlyMap<string, JobHandler>> {
  const loaded = await application.handlers().catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError("APPLICATION_INVALID", `the handlers cannot be loaded: ${reason}`, { cause });
  });
  const handlers = new Map(loaded.map((handler) => [handler.job.type, handler]));
  const faults = [
    ...[...application.jobs.keys()]
      .filter((type) => !handlers.has(type))
      .map((type) => `job "${type}": has no handler`),
    ...[...handlers.keys()]
      .filter((type) => !application.jobs.has(type))
      .map((type) => `handler "${type}": its job is not listed in jobs`),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return handlers;
}

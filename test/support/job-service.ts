import {
  type Application,
  createOperator,
  createProducer,
  type JobStatus,
  type Operator,
  type Producer,
  startWorker,
} from "holdfast";
import { inject, vi } from "vitest";

/** All that runs an application, in this process and on a key prefix of its own. */
export interface JobService {
  /** For other processes that are to join in. */
  readonly env: Readonly<Record<string, string>>;
  readonly producer: Producer;
  readonly operator: Operator;
  /** Starts one more worker; it stops with the service. */
  startWorker(): Promise<void>;
  /** Waits until a job has ended. */
  ended(id: string, timeoutMs?: number): Promise<JobStatus>;
  stop(): Promise<void>;
}

/** Starts it without a worker, on the run's shared server. */
export async function startJobService(application: Application, prefix: string): Promise<JobService> {
  const env = {
    REDIS_URL: inject("redisUrl"),
    HOLDFAST_PREFIX: `${prefix}-${process.pid}`,
    HOLDFAST_LOCK_MS: "1000",
    LOG_LEVEL: "silent",
  };
  const producer = await createProducer(application, env);
  const operator = await createOperator(application, env);
  const parts: { stop(): Promise<void> }[] = [producer, operator];
  return {
    env,
    producer,
    operator,
    async startWorker() {
      parts.unshift(await startWorker(application, env));
    },
    ended: (id, timeoutMs = 10_000) =>
      vi.waitFor(
        async () => {
          const status = await producer.status(id);
          if (status?.state === "completed" || status?.state === "failed") return status;
          throw new Error(`still ${status?.state}: ${status?.error?.message}`);
        },
        { timeout: timeoutMs, interval: 20 },
      ),
    async stop() {
      for (const part of parts) await part.stop();
    },
  };
}

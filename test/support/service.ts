import { randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import {
  type Application,
  createOperator,
  createProducer,
  defineConfig,
  type JobHandler,
  type JobState,
  type JobStatus,
  type Producer,
  type Running,
  type StandaloneOperator,
} from "holdfast";
import { type Api, startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { Redis } from "ioredis";
import { inject } from "vitest";
import { patiently } from "../../lab/faults/lib/inside/patiently.ts";
import { bullmqQueueName } from "../../src/core/bullmq/store/queue-keys.ts";
import type { VariableName } from "../../src/platform/config/variables.ts";
import { stopAll } from "../../src/platform/lib/running.ts";
import { onTestFinished } from "./test-scope.ts";
import { until } from "./until.ts";

/** What notices of tests name. */
type ReceiverVariable = "ON_CALL_URL" | "ON_CALL_SECRET" | "SLACK_URL";

export type Variables = Readonly<
  Partial<Record<VariableName | ReceiverVariable | "HOST" | "PORT" | "LOG_LEVEL", string>>
>;

/** The environment of one test: the shared Redis, and a new key prefix. */
export function testEnvironment(variables: Variables = {}) {
  return {
    REDIS_URL: inject("redisUrl"),
    HOLDFAST_PREFIX: `test-${randomUUID()}`,
    HOLDFAST_DATA_DIR: inject("dataDir"),
    HOLDFAST_PORT: "0",
    HOLDFAST_LOG_LEVEL: "silent",
    ...variables,
  };
}

/** A whole service in this process. It ends with the test, or with what `whenOver` waits for. */
export interface Service {
  readonly env: ReturnType<typeof testEnvironment>;
  startApi(): Promise<Api>;
  startWorker(): Promise<Running>;
  createProducer(): Promise<Producer>;
  createOperator(): Promise<StandaloneOperator>;
  /** The queue as a user of BullMQ sees it. */
  openBareQueue(name?: string): Queue;
  connect(): Redis;
}

export function createService(
  application: Application,
  variables: Variables = {},
  whenOver: (stop: () => Promise<void>) => void = onTestFinished,
): Service {
  const env = testEnvironment(variables);
  const parts: Running[] = [];
  whenOver(() => stopAll(parts));
  const kept = <Part extends Running>(part: Part): Part => {
    parts.push(part);
    return part;
  };
  const connect = () => {
    const client = new Redis(env.REDIS_URL, { maxRetriesPerRequest: null });
    client.on("error", () => {});
    kept({ stop: async () => client.disconnect() });
    return client;
  };
  return {
    env,
    connect,
    startApi: async () => kept(await startApi(application, env)),
    startWorker: async () => kept(await startWorker(application, env)),
    createProducer: async () => kept(await createProducer(application, env)),
    createOperator: async () => kept(await createOperator(application, env)),
    openBareQueue(name = "default") {
      const queue = new Queue(bullmqQueueName(name), { prefix: env.HOLDFAST_PREFIX, connection: connect() });
      queue.on("error", () => {});
      kept({ stop: () => queue.close() });
      return queue;
    },
  };
}

/** An application of these handlers' jobs. */
export function applicationOf(...handlers: readonly JobHandler[]): Application {
  return defineConfig({ jobs: handlers.map(({ job }) => job), handlers: async () => handlers });
}

/** Waits until a job is in one of these states. */
export function untilState(
  producer: Pick<Producer, "status">,
  id: string,
  ...states: readonly JobState[]
): Promise<JobStatus> {
  return until(`job ${id} is ${states.join(" or ")}`, async () => {
    const status = await patiently(() => producer.status(id));
    return status !== undefined && states.includes(status.state) && status;
  });
}

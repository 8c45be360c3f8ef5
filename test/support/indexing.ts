import { defineConfig, defineJob, type SubmitOptions } from "holdfast";
import { z } from "zod";
import { queueKeys } from "../../src/core/bullmq/store/queue-keys.ts";
import { latch } from "./latch.ts";
import { createService, type Service, type Variables } from "./service.ts";

export const payload = z.strictObject({ text: z.string(), lane: z.string().optional() });
export type Payload = z.output<typeof payload>;

/** What one attempt saw. */
export interface Ran {
  readonly text: string;
  readonly key: string;
  readonly effectKey: string;
}

interface Options {
  readonly queue?: string;
  readonly formerQueues?: readonly string[];
  readonly hasLanes?: boolean;
  /** Jobs that start in a time. */
  readonly rate?: string;
  readonly variables?: Variables;
}

export const HOUR_MS = 3_600_000;

/** A service that indexes a document after it was changed, and what its worker has done. */
export async function openIndexing({ queue, formerQueues, hasLanes, rate, variables }: Options = {}) {
  const ran: Ran[] = [];
  /** Jobs with the text "slow" wait for it. */
  const gate = latch();
  /** Texts whose first attempt fails. */
  const failing = new Set<string>();
  const job = defineJob({
    type: "index",
    payload,
    result: z.unknown(),
    retry: { attempts: 2, backoff: { kind: "fixed", delayMs: HOUR_MS } },
    timeoutMs: 60_000,
    effects: { write: { timeoutMs: 10_000, inDoubt: "hold" } },
    ...(queue !== undefined && { queue }),
    ...(formerQueues !== undefined && { formerQueues }),
    ...(hasLanes && { concurrency: { key: ({ lane = "all" }: Payload) => lane, limit: 1 } }),
  });
  const handler = job.handler(async ({ payload: { text }, idempotencyKey, effect }) => {
    const effectKey = await effect("write", async ({ key }) => key);
    ran.push({ text, key: idempotencyKey, effectKey: effectKey ?? "" });
    if (text === "slow") await gate.opened;
    if (failing.delete(text)) throw new Error("on request");
    return text;
  });
  const application = defineConfig({
    jobs: [job],
    handlers: async () => [handler],
    ...(rate !== undefined && { queues: { [job.queue]: { rate } } }),
  });
  const service = createService(application, variables);
  const producer = await service.createProducer();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, job.queue);
  /** A submission whose text is its idempotency key. */
  const submit = (key: string, ms = HOUR_MS, options: Partial<SubmitOptions> & { lane?: string } = {}) => {
    const { lane, ...others } = options;
    return producer.submit(
      job,
      { text: key, ...(lane !== undefined && { lane }) },
      { idempotencyKey: key, debounce: { key: "document-7", ms }, ...others },
    );
  };
  return { ...service, application, job, producer, keys, ran, gate, failing, submit };
}

export type Indexing = Awaited<ReturnType<typeof openIndexing>>;

/** Makes a delayed job due, as BullMQ's own tools do: it waits in line from then on. */
export async function promote(service: Service, id: string, queue = "default"): Promise<void> {
  const job = await service.openBareQueue(queue).getJob(id);
  await job?.promote();
}

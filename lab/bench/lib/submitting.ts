import { setTimeout as sleep } from "node:timers/promises";
import { type Started, startHoldfast, startScript } from "../../lib/processes.ts";
import type { Contestant } from "./contestants.ts";
import { startDriver } from "./driver.ts";
import type { Form, Sample, Side } from "./row.ts";
import { freshSide } from "./side.ts";
import { countSpending } from "./spending.ts";
import type { ConnectedRedis } from "./store.ts";
import { type Load, runWrk } from "./wrk.ts";

const PAUSE_MS = 100;

/** A service that accepts jobs over HTTP. */
export interface Service {
  readonly name: string;
  start(url: string): Promise<Started<{ readonly url: string }>>;
  /** Its list of waiting jobs in Redis, if it stores any. */
  readonly waiting?: string;
}

export function holdfastApi({ keys }: Contestant): Service {
  return {
    name: "Holdfast API",
    start: (url) => startHoldfast("api", { REDIS_URL: url }),
    waiting: keys.waiting,
  };
}

/** The service of the tour, which readers can break. */
export const serviceByHand: Service = {
  name: "Express + BullMQ",
  start: (url) => startScript("../../examples/by-hand/api", [], { REDIS_URL: url, PORT: "0" }),
  waiting: "bull:by-hand:wait",
};

/** The lower limit for any service on this HTTP server: it answers and does nothing. */
export const constantService: Service = {
  name: "Fastify, a constant answer",
  start: () => startScript("opponents/constant-service", [], {}),
};

/** Jobs a second over HTTP, from wrk. */
export function overHttp(
  service: Service,
  load: Pick<Load, "connections" | "batch">,
  { seconds, warmUpSeconds }: Form,
): Side {
  return freshSide(service.name, async (store) => {
    const started = await service.start(store.url);
    try {
      await runWrk(started.ready.url, { ...load, seconds: warmUpSeconds });
      return await submitOverHttp(store, service, started, { ...load, seconds });
    } finally {
      await started.end();
    }
  });
}

/** Measures once, on a running service. */
export async function submitOverHttp(
  store: ConnectedRedis,
  { waiting }: Service,
  { child, ready }: Started<{ readonly url: string }>,
  load: Load,
): Promise<Sample> {
  const before = await finalLength(store, waiting);
  const endCount = await countSpending(store.client, child.pid);
  const { requests, seconds, refused, broken, latency } = await runWrk(ready.url, load);
  const size = load.batch || 1;
  const spent = await endCount(requests * size);
  const made = (await finalLength(store, waiting)) - before;
  // wrk does not count answers after the end, but their jobs are there.
  const inFlight = load.connections * size;
  const isCountRight =
    waiting === undefined || (made >= requests * size && made <= requests * size + inFlight);
  return {
    measures: { perSecond: (requests * size) / seconds },
    latency,
    spent,
    invalid: [
      ...(refused > 0 ? [`${refused} of ${requests} requests were not accepted`] : []),
      ...(broken > 0 ? [`${broken} requests failed`] : []),
      ...(isCountRight ? [] : [`${requests * size} jobs were accepted, ${made} are in the queue`]),
    ],
  };
}

/** The length after the requests that were still in flight when wrk ended. */
async function finalLength({ client }: ConnectedRedis, list: string | undefined): Promise<number> {
  if (list === undefined) return 0;
  for (let length = await client.llen(list); ; ) {
    await sleep(PAUSE_MS);
    const now = await client.llen(list);
    if (now === length) return now;
    length = now;
  }
}

/** Jobs a second from a producer in its own process. @param batch jobs at once; undefined: one by one */
export function inProcess(
  name: string,
  { module, keys }: Contestant,
  load: { readonly inFlight: number; readonly batch?: number },
  { seconds, warmUpSeconds }: Form,
): Side {
  return freshSide(name, async (store) => {
    const driver = await startDriver(module, store.url);
    try {
      const order = { task: "submit", ...load } as const;
      await driver.drive({ ...order, seconds: warmUpSeconds });
      const before = await store.client.llen(keys.waiting);
      const { count, milliseconds, latency } = await driver.drive({ ...order, seconds });
      const jobs = count * (load.batch ?? 1);
      const made = (await store.client.llen(keys.waiting)) - before;
      return {
        measures: { perSecond: jobs / (milliseconds / 1_000) },
        latency,
        invalid: made === jobs ? [] : [`${jobs} jobs were submitted, ${made} are in the queue`],
      };
    } finally {
      await driver.end();
    }
  });
}

import cluster from "node:cluster";
import { type Running, stopAll, stopOnce } from "../lib/running.ts";
import type { Logger } from "../telemetry/logger.ts";
import { gatherMetrics, type MetricsGatherer } from "../telemetry/metrics-of-all.ts";
import { BIN, STOP_MS } from "./children.ts";
import { type ChildSpec, readyMessage, supervise } from "./supervisor.ts";

interface ApiReady {
  readonly url: string;
}

/**
 * Runs the API in several processes that share one port, for machines with several cores. One that dies is started
 * again while the others go on. Whichever is asked for its metrics tells those of all.
 *
 * @throws HoldfastError `START_FAILED` when one of them does not come up
 */
export async function startApiProcesses(count: number, log: Logger): Promise<Running & ApiReady> {
  // Each takes its connections from the port itself: one that is handed over to a process that just dies is lost.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: BIN, args: ["api"] });
  const parts: Running[] = [];
  const metrics = gatherMetrics();
  const stop = stopOnce(() => stopAll(parts));
  const start = async (number: number): Promise<ApiReady> => {
    const child = await supervise(apiProcess(number, metrics), log);
    parts.push(child);
    return child.ready;
  };
  try {
    // The first alone: where none can start, one says why.
    const { url } = await start(1);
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 2)));
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function apiProcess(number: number, metrics: MetricsGatherer): ChildSpec<ApiReady> {
  return {
    name: `API process ${number}`,
    start: () => cluster.fork().process,
    async whenReady(child) {
      const ready = await readyMessage<ApiReady>(child);
      metrics.add(child);
      return ready;
    },
    stopMs: STOP_MS,
  };
}

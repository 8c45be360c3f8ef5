import type { ConnectedQueues } from "../core/bullmq/store/connect-queues.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import type { Settings } from "../platform/config/settings.ts";
import { messageOf } from "../platform/lib/thrown.ts";
import { clockWrong } from "../platform/redis/fitness/clock.ts";
import { requireFitRedis } from "../platform/redis/fitness/fitness.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import type { Metrics } from "../platform/telemetry/metrics.ts";
import { readLoss } from "./audit/loss.ts";
import { type MetricsServer, type ReadReadiness, startMetricsServer } from "./metrics-server.ts";
import { findRefusedWrites } from "./write-probe.ts";

/**
 * Serves a role's metrics, and whether it is ready.
 *
 * @returns undefined unless `HOLDFAST_METRICS_PORT` is set
 * @throws HoldfastError `START_FAILED` when the port is in use
 */
export async function serveReadiness(
  metrics: Metrics,
  connected: ConnectedQueues,
  queues: readonly string[],
  settings: Settings,
): Promise<MetricsServer | undefined> {
  const {
    HOLDFAST_METRICS_HOST: host,
    HOLDFAST_METRICS_PORT: port,
    HOLDFAST_ALLOWED_HOSTS: allowedHosts,
  } = settings;
  if (port === undefined) return undefined;
  return await startMetricsServer(
    metrics,
    { host, port, allowedHosts },
    openReadiness(connected, queues, settings),
  );
}

export function openReadiness(
  { client, durability, rejection, clock, keysInUse, stores }: ConnectedQueues,
  queues: readonly string[],
  settings: Settings,
): ReadReadiness {
  async function lossOf(store: QueueStore): Promise<string[]> {
    const loss = await readLoss(store);
    return loss === undefined ? [] : [`Redis has lost data of the queue ${store.queue}: see holdfast doctor`];
  }

  async function refusal(): Promise<string[]> {
    const refused = await findRefusedWrites(client);
    return refused === undefined ? [] : [`Redis takes no writes: ${refused.why}. Remedy: ${refused.remedy}.`];
  }

  return async () => {
    try {
      const fit = requireFitRedis(client, { ...settings, HOLDFAST_DURABILITY: durability }).then(() => []);
      const reasons = await inTime(Promise.all([fit, refusal(), ...stores.partitionsOf(queues).map(lossOf)]));
      const keyFault = keysInUse.fault();
      return [
        ...reasons.flat(),
        ...(clock.isRight() ? [] : [clockWrong(clock.offsetMs()).message]),
        ...(keyFault === undefined ? [] : [keyFault.message]),
      ];
    } catch (error) {
      return [rejection() ?? messageOf(error)];
    }
  };
}

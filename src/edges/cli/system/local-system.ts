import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import type { Running } from "../../../platform/lib/running.ts";
import { apiChild, laterMetricsPort, roleChild, storeChild } from "./children.ts";
import { claimDataDirectory } from "./data-directory.ts";
import { type ChildSpec, type Supervised, supervise } from "./supervisor.ts";

/** What `up` and `dev` run on one machine: an embedded store without `REDIS_URL`, and the three roles. */
export interface LocalSystem {
  /**
   * Starts API, worker and scheduler. Again after their stop: the API keeps its port.
   *
   * @param parts each is added at once, so that a failure stops all
   * @returns the API's URL
   */
  startRoles(parts: Running[]): Promise<string>;
}

/** @param parts what is started is added at once, so that a failure stops all */
export async function startLocalSystem(
  settings: Settings,
  parts: Running[],
  log: Logger,
): Promise<LocalSystem> {
  parts.push(claimDataDirectory(settings.HOLDFAST_DATA_DIR));
  if (settings.REDIS_URL === undefined)
    await startChild(await storeChild(settings.HOLDFAST_DATA_DIR), parts, log);
  const graceMs = settings.HOLDFAST_STOP_GRACE_MS;
  const { HOLDFAST_METRICS_PORT: port } = settings;
  const api = apiChild(laterMetricsPort(port, 2));
  const others = [
    roleChild("worker", {}, graceMs),
    roleChild("scheduler", laterMetricsPort(port, 1), graceMs),
  ];
  return {
    async startRoles(roles) {
      const [first, ...rest] = await Promise.allSettled([
        startChild(api, roles, log),
        ...others.map((spec) => startChild(spec, roles, log)),
      ]);
      const failed = [first, ...rest].find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      if (first.status === "rejected") throw new HoldfastError("START_FAILED", "The API did not start");
      return first.value.ready.url;
    },
  };
}

async function startChild<Ready>(
  spec: ChildSpec<Ready>,
  parts: Running[],
  log: Logger,
): Promise<Supervised<Ready>> {
  const child = await supervise(spec, log);
  parts.push(child);
  return child;
}

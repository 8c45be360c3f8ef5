import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { diagnoseQueuesOfTypes, diagnoseSettings } from "./doctor-application.ts";
import { diagnoseLoss, diagnoseQueue } from "./doctor-queue.ts";
import { diagnoseRedis } from "./doctor-redis.ts";
import type { Finding } from "./finding.ts";

/**
 * Checks everything that the promises depend on.
 *
 * @returns a finding for each check, the good ones included
 * @throws an error of Redis that keeps it from reading
 */
export async function diagnose(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  const queues = application.queues.map(stores.of);
  return [
    ...(await diagnoseRedis(stores.client, settings)),
    ...(await Promise.all(queues.map(diagnoseLoss))),
    ...(await diagnoseQueuesOfTypes(application, stores, settings.HOLDFAST_PREFIX)),
    ...diagnoseSettings(application, settings),
    ...(await Promise.all(queues.map((queue) => diagnoseQueue(queue, settings)))).flat(),
  ];
}

import { createEvents } from "../../core/events.ts";
import type { Application } from "../../core/job/application.ts";
import { NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import { consumeQueue, type WorkerParts } from "../../core/run/consume-queue.ts";
import type { Environment } from "../../platform/config/settings.ts";
import type { Running } from "../../platform/lib/running.ts";
import { openReceivers } from "../../roles/notices/receivers.ts";
import { noticeApplication, noticeHandler, noticeJob } from "./notice-job.ts";

/**
 * Opens what a worker delivers notices with: apart from acts, which can take hours. Where nobody is told it is nothing.
 *
 * @throws HoldfastError `CONFIG_INVALID` where a receiver's variables are missing or wrong
 */
export function openDelivery({ notices }: Application, env: Environment | undefined) {
  const receivers = openReceivers(notices, env);
  return (worker: WorkerParts, onFailed: (error: unknown) => void): Running[] => {
    if (receivers.length === 0) return [];
    const parts = {
      ...worker,
      application: noticeApplication,
      handlers: new Map([[noticeJob.type, noticeHandler(receivers, worker.queues.stores)]]),
      events: createEvents(),
    };
    return [consumeQueue(NOTICE_QUEUE, parts, onFailed)];
  };
}

import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding } from "../../platform/errors/finding.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { diagnoseStore, diagnoseSystem } from "../doctor/doctor.ts";
import type { Problem } from "./overview.ts";

const SYSTEM_EVERY_MS = 10_000;
/** Some of the checks look at thousands of doubts. */
const SYSTEM_WITHIN_MS = 30_000;
/** Whoever reads the overview waits no longer for them. */
const SYSTEM_AWAITED_MS = 500;

/**
 * Returns a reader of what readiness and the doctor find bad, that which refuses work first. It checks Redis each time, the rest every
 * 10 s at most.
 */
export function openProblemReader(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): () => Promise<Problem[]> {
  let ofSystem: readonly Finding[] = [];
  let checkedAt = Number.NEGATIVE_INFINITY;
  const checkSystem = oneAtATime(async () => {
    ofSystem = await inTime(diagnoseSystem(application, stores, settings), SYSTEM_WITHIN_MS).catch(() => [
      unchecked(),
    ]);
  });
  return async () => {
    const ofStore = await diagnoseStore(application, stores, settings);
    if (performance.now() - checkedAt > SYSTEM_EVERY_MS) {
      checkedAt = performance.now();
      await withDeadline(checkSystem(), SYSTEM_AWAITED_MS, () => new Error("later")).catch(() => {});
    }
    const bad = [...ofStore, ...ofSystem].filter(({ verdict }) => verdict === "bad");
    return [...bad.filter(refusesWork), ...bad.filter((found) => !refusesWork(found))].map(problemOf);
  };
}

function refusesWork({ code }: Finding): boolean {
  return code !== null;
}

function problemOf({ code, name, found, reason, remedy }: Finding): Problem {
  return { code, message: `${name}: ${found}; ${reason}`, remedy: remedy ?? "" };
}

function unchecked(): Finding {
  return finding("queues, workers and schedules", "bad", "could not be checked", {
    reason: "nobody knows whether they work",
    remedy: "holdfast doctor",
  });
}

import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { lasting, openSchedulePauses, pauseText } from "../schedule/pauses.ts";
import { type Finding, finding } from "./finding.ts";

/** Finds schedules that are paused. */
export async function diagnosePauses(
  { schedules }: Application,
  stores: QueueStores,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
): Promise<Finding[]> {
  const pauses = openSchedulePauses(stores, prefix, retentionMs);
  const each = schedules.map(async ({ name }): Promise<Finding[]> => {
    const pause = lasting(await pauses.of(name));
    if (pause === undefined) return [];
    const advice = {
      reason: "its ticks are skipped, and will not be caught up",
      remedy: `holdfast schedules resume ${name}`,
    };
    return [finding(`pause of ${name}`, "warn", pauseText(pause), advice)];
  });
  return (await Promise.all(each)).flat();
}

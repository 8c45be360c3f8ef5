import type { Metrics } from "../../platform/telemetry/metrics.ts";
import { tickMetrics } from "../schedules/tick-metrics.ts";
import type { StoredSchedules } from "./stored-schedules.ts";

/** Reports overdue schedules at each scrape, from whichever process is scraped: also while no scheduler runs. */
export function measureOverdue(
  metrics: Metrics,
  stored: Pick<StoredSchedules, "overdue">,
  clock: { now(): number },
): void {
  const overdue = metrics.of(tickMetrics).gauge("holdfast_stored_schedules_overdue");
  metrics.beforeScrape(async () => {
    const found = await stored.overdue(clock.now()).catch(() => undefined);
    overdue.reset();
    if (found !== undefined) overdue.labels().set(found.count);
  });
}

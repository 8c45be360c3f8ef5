import type { Events } from "./events.ts";
import type { Logger } from "./logger.ts";

export function logTicks(events: Events, log: Logger): void {
  events.on("tick.enqueued", (tick) => log.info(tick, "tick enqueued"));
  events.on("tick.duplicate", (tick) => log.debug(tick, "tick was enqueued before"));
  events.on("tick.failed", (tick, err) => log.error({ ...tick, err }, "tick cannot be enqueued"));
  events.on("tick.retried", (tick, { code, message }) => {
    // The clock logs this once. Here it would be a line for each tick, twice a second.
    if (code !== "CLOCK_WRONG") log.warn({ ...tick, code }, message);
  });
}

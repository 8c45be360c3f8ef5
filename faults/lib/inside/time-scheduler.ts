import "./shifted-clock.ts";
import { defineConfig, defineSchedule, startScheduler } from "holdfast";
import { tick } from "./application.ts";
import { live } from "./live.ts";

/**
 * Unlike the laboratory's other schedule, this one catches up, over more than the whole experiment: a tick at which no
 * scheduler lives must not be missed.
 */
const application = defineConfig({
  jobs: [tick],
  handlers: async () => [],
  schedules: [
    defineSchedule({
      name: "timed",
      everyMs: 1_000,
      job: tick,
      payload: ({ at }) => ({ at: at.toISOString() }),
      catchUp: { mode: "all", max: 180, windowMs: 180_000 },
    }),
  ],
});

await live(() => startScheduler(application));

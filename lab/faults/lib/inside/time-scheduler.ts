import "./shifted-clock.ts";
import { defineConfig, defineSchedule, startScheduler } from "holdfast";
import { tick } from "./contracts.ts";
import { live } from "./live.ts";

/** Catches up over more than the whole experiment: a tick without a living scheduler must not be missed. */
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

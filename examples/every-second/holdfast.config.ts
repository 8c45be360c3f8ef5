// A job every second: `HOLDFAST_CONFIG=examples/every-second/holdfast.config.ts npm start`
import { defineConfig, defineSchedule } from "holdfast";
import { beat } from "./contract.ts";

// #region schedule
/** Catches up everything missed in the last minute. */
export const everySecond = defineSchedule({
  name: "every-second",
  everyMs: 1_000,
  job: beat,
  payload: ({ at }) => ({ at: at.toISOString() }),
  catchUp: { mode: "all", max: 60, windowMs: 60_000 },
});
// #endregion

export default defineConfig({
  jobs: [beat],
  handlers: async () => {
    const { beatHandler } = await import("./handler.ts");
    return [beatHandler];
  },
  schedules: [everySecond],
});

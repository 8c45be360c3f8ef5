// A job each second, by the clock: `HOLDFAST_CONFIG=examples/every-second/holdfast.config.ts npm start`
import { defineConfig, defineSchedule } from "holdfast";
import { beat } from "./contract.ts";

// #region schedule
/** Of what was missed in the last minute, all is caught up. */
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

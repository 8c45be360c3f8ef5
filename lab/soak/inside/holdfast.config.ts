import { defineConfig, defineSchedule } from "holdfast";
import { acting, beat, broken, flaky, plain, refused, slow } from "./contracts.ts";
import { handlers } from "./handlers.ts";

/** The application of the soak. */
export default defineConfig({
  jobs: [plain, acting, flaky, slow, broken, refused, beat],
  handlers: async () => handlers,
  schedules: [
    defineSchedule({
      name: "each-second",
      everyMs: 1_000,
      job: beat,
      payload: ({ at }) => ({ text: at.toISOString() }),
      catchUp: { mode: "all", max: 10, windowMs: 10_000 },
    }),
  ],
});

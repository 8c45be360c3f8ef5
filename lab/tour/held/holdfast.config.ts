import { defineConfig, defineSchedule } from "holdfast";
import { dailyDigest, welcomeEmail } from "./contracts.ts";

const { DIGEST_URL: url, DIGEST_MS = "86400000" } = process.env;

// #region schedule
const digest = defineSchedule({
  name: "digest",
  everyMs: Number(DIGEST_MS),
  job: dailyDigest,
  payload: ({ at }) => ({ url: url ?? "", at: at.toISOString() }),
  catchUp: { mode: "all", max: 100, windowMs: 60 * 60 * 1_000 },
});
// #endregion

export default defineConfig({
  jobs: [welcomeEmail, dailyDigest],
  handlers: async () => {
    const { welcomeEmailHandler, dailyDigestHandler } = await import("./handlers.ts");
    return [welcomeEmailHandler, dailyDigestHandler];
  },
  schedules: url === undefined ? [] : [digest],
});

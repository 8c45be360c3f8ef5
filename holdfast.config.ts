import { defineConfig } from "holdfast";
import { contracts } from "./jobs/contracts.ts";
import { env } from "./jobs/env.ts";
import { schedules } from "./jobs/schedules.ts";

export default defineConfig({
  jobs: contracts,
  handlers: async () => {
    const [{ welcomeEmailHandler }, { webhookHandler }, { dailyDigestHandler }] = await Promise.all([
      import("./jobs/welcome-email/handler.ts"),
      import("./jobs/webhook/handler.ts"),
      import("./jobs/daily-digest/handler.ts"),
    ]);
    return [welcomeEmailHandler, webhookHandler, dailyDigestHandler];
  },
  schedules,
  env,
});

import { defineConfig } from "holdfast";
import { schedules } from "./jobs/schedules.ts";
import { webhook } from "./jobs/webhook/contract.ts";
import { welcomeEmail } from "./jobs/welcome-email/contract.ts";

export default defineConfig({
  jobs: [welcomeEmail, webhook],
  handlers: async () => {
    const [{ welcomeEmailHandler }, { webhookHandler }] = await Promise.all([
      import("./jobs/welcome-email/handler.ts"),
      import("./jobs/webhook/handler.ts"),
    ]);
    return [welcomeEmailHandler, webhookHandler];
  },
  schedules,
});

import { defineConfig } from "holdfast";
import { schedules } from "./jobs/schedules.ts";
import { welcomeEmail } from "./jobs/welcome-email/contract.ts";

export default defineConfig({
  jobs: [welcomeEmail],
  handlers: async () => {
    const { welcomeEmailHandler } = await import("./jobs/welcome-email/handler.ts");
    return [welcomeEmailHandler];
  },
  schedules,
});

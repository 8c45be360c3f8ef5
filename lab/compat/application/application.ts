import { defineConfig, defineSchedule, HoldfastError } from "holdfast";
import { welcome } from "./contract.js";

export const welcomeHandler = welcome.handler(async ({ payload, effect, log }) => {
  const copies: number = payload.copies;
  log.info("sending", { copies });
  const sent = await effect("send", async ({ key }) => ({ key }));
  if (sent === undefined) throw new HoldfastError("HANDLER_FAILED", "nothing was sent");
  return { sent: copies };
});

export const daily = defineSchedule({
  name: "daily",
  everyMs: 86_400_000,
  job: welcome,
  payload: ({ at }) => ({ to: at.toISOString() }),
});

export default defineConfig({
  jobs: [welcome],
  handlers: async () => [welcomeHandler],
  schedules: [daily],
});

import { beat } from "./contract.ts";

export const beatHandler = beat.handler(async ({ payload, log }) => {
  const lateMs = Date.now() - Date.parse(payload.at);
  log.info("beat", { at: payload.at, lateMs });
  return { lateMs };
});

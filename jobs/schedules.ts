import { defineSchedule } from "holdfast";
import { dailyDigest } from "./daily-digest/contract.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** All schedules. */
export const schedules = [
  defineSchedule({
    name: "daily-digest",
    cron: "0 7 * * *",
    timeZone: "UTC",
    job: dailyDigest,
    payload: ({ at }) => dayBefore(at),
    // With catch-up, a first start at noon would send an unexpected digest.
    catchUp: { mode: "none" },
  }),
];

/** The UTC day before an instant's. */
function dayBefore(at: Date): { from: string; to: string } {
  const to = Math.floor(at.getTime() / DAY_MS) * DAY_MS;
  return { from: new Date(to - DAY_MS).toISOString(), to: new Date(to).toISOString() };
}

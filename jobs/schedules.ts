import { defineSchedule } from "holdfast";
import { dailyDigest } from "./daily-digest/contract.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Jobs that are due by the clock, without any request. */
export const schedules = [
  defineSchedule({
    name: "daily-digest",
    cron: "0 7 * * *",
    timeZone: "UTC",
    job: dailyDigest,
    payload: ({ at }) => dayBefore(at),
    // Caught up, a first start in the middle of the day would bring a digest that nobody waits for.
    catchUp: { mode: "none" },
  }),
];

/** The whole day, by UTC, before that of an instant. */
function dayBefore(at: Date): { from: string; to: string } {
  const to = Math.floor(at.getTime() / DAY_MS) * DAY_MS;
  return { from: new Date(to - DAY_MS).toISOString(), to: new Date(to).toISOString() };
}

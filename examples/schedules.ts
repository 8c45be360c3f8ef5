// Schedules: jobs that are due by the clock. List them under `schedules` in `holdfast.config.ts`.
import { defineSchedule } from "holdfast";
import { welcomeEmail } from "../jobs/welcome-email/contract.ts";
import { countdown } from "./countdown/contract.ts";

/** Every weekday at nine, by Berlin's clocks; if nobody was there at nine, as soon as somebody is. */
export const morningMail = defineSchedule({
  name: "morning-mail",
  cron: "0 9 * * 1-5",
  timeZone: "Europe/Berlin",
  job: welcomeEmail,
  payload: ({ at }) => ({
    email: "team@example.com",
    name: "Team",
    message: `Good morning. It is ${at.toISOString()}.`,
  }),
  catchUp: { mode: "latest", windowMs: 2 * 60 * 60 * 1000 },
});

/** Every ten seconds; what was missed is missed. */
export const heartbeat = defineSchedule({
  name: "heartbeat",
  everyMs: 10_000,
  job: countdown,
  payload: () => ({ seconds: 1 }),
});

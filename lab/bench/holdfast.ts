import { createProducer } from "holdfast";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";
import application, { plainEmail, postedEmail, refusedEmail, timedEmail } from "./holdfast.config.ts";
import { type Open, payload } from "./lib/inside/contestant.ts";

const jobs = {
  "plain-email": plainEmail,
  "posted-email": postedEmail,
  "refused-email": refusedEmail,
  "timed-email": timedEmail,
  "welcome-email": welcomeEmail,
};

/** Holdfast through its library. */
export const open: Open = async (url) => {
  const producer = await createProducer(application, { ...process.env, REDIS_URL: url });
  return {
    async submit(idempotencyKey, type = "plain-email") {
      return (await producer.submit(jobs[type], payload, { idempotencyKey })).id;
    },
    async submitMany(keys, type = "plain-email") {
      const submissions = keys.map((idempotencyKey) => ({ payload, idempotencyKey }));
      for (const result of await producer.submitMany(jobs[type], submissions)) {
        if (result instanceof Error) throw result;
      }
    },
    async status(id) {
      return (await producer.status(id))?.state ?? "missing";
    },
  };
};

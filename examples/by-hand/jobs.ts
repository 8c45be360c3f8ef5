// What may be submitted. Every process loads it; only the worker knows how a job is done.
import { z } from "zod";

const payloads = {
  "welcome-email": z.strictObject({
    email: z.email(),
    name: z.string().min(1).max(200),
    message: z.string().max(10_000),
  }),
  "daily-digest": z.strictObject({ url: z.url({ protocol: /^https?$/ }), at: z.iso.datetime() }),
} as const;

const jobOf = <Type extends keyof typeof payloads>(type: Type) =>
  z.strictObject({ type: z.literal(type), payload: payloads[type] });

const welcomeEmail = jobOf("welcome-email");
const dailyDigest = jobOf("daily-digest");

export const job = z.discriminatedUnion("type", [welcomeEmail, dailyDigest]);

const key = { idempotencyKey: z.string().min(1).max(255) };
export const submission = z.discriminatedUnion("type", [welcomeEmail.extend(key), dailyDigest.extend(key)]);

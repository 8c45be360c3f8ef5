import { z } from "zod";

/** Also accepts a host without a dot, like localhost. */
const mailAddress = /^[^\s@<>()[\]\\,;:"]{1,64}@[^\s@<>()[\]\\,;:"]{1,189}$/;

/** The jobs' own variables. */
export const env = z.object({
  MAIL_FROM: z.string().default("Holdfast <holdfast@localhost>").meta({
    description: "The sender of the jobs' mails.",
    expected: "a sender, e.g. Name <address@example.com>",
  }),
  OPERATOR_EMAIL: z.string().regex(mailAddress).default("operator@localhost").meta({
    description: "Who gets the daily digest of what failed and what is in doubt.",
    expected: "one mail address, e.g. operator@example.com",
  }),
  WEBHOOK_SECRET: z.string().refine(isWebhookSecret).optional().meta({
    description: "Signs webhooks; without it they fail.",
    expected: "whsec_ and 24 to 64 bytes in base64",
    secret: true,
  }),
  WEBHOOK_ALLOW: z.string().refine(areRanges).default("").meta({
    description: "Addresses that are not public and that webhooks may call.",
    expected: "address ranges like 127.0.0.0/8 or fd00::/8, comma-separated",
  }),
});

function isWebhookSecret(text: string): boolean {
  const base64 = /^whsec_(.*)$/s.exec(text)?.[1] ?? "";
  const bytes = Buffer.from(base64, "base64");
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString("base64") === base64;
}

function areRanges(text: string): boolean {
  const range = z.union([z.cidrv4(), z.cidrv6()]);
  return text.split(",").every((one) => range.safeParse(one.trim()).success);
}

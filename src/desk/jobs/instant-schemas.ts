import { z } from "zod";
import { INSTANT_EXPECTED, instantOf } from "./instant.ts";

/** An instant in a body: ISO 8601 outside, milliseconds since 1970 inside. A body that is sent again means the same. */
export const instantInBody = (description: string) =>
  z.iso
    .datetime({ offset: true })
    .meta({ description, examples: ["2026-11-24T00:00:00Z"] })
    .transform((text) => Date.parse(text))
    .optional();

/** An instant in a query, where it may also be a day or an age; milliseconds since 1970 inside. */
export const instantInQuery = (description: string) =>
  z
    .string()
    .meta({
      description: `${description} An instant, a day in UTC, or an age such as 90s, 30min, 12h or 7d.`,
      examples: ["2026-11-24T00:00:00Z"],
    })
    .transform((text, context) => {
      const at = instantOf(text, Date.now());
      if (at !== undefined) return at;
      context.addIssue({ code: "custom", message: `expected ${INSTANT_EXPECTED}` });
      return z.NEVER;
    })
    .optional();

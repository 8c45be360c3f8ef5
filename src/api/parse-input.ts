import type { z } from "zod";
import { malformed } from "../contract/parse-json.ts";
import { schemaOffences } from "../contract/schema-offences.ts";

/**
 * Checks a query or body against its schema.
 *
 * @throws HoldfastError `INVALID_REQUEST` with every offence
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw malformed(schemaOffences(parsed.error));
}

import type { z } from "zod";
import { malformed } from "./parse-json.ts";
import { schemaIssues } from "./schema.ts";

/**
 * Checks input against its schema.
 *
 * @throws HoldfastError `INVALID_REQUEST` with every issue
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw malformed(schemaIssues(parsed.error.issues));
}

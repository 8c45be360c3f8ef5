import type { z } from "zod";
import { jsonPointer } from "../contract/canonical-json.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";

/**
 * Checks a query or body against its schema.
 *
 * @throws HoldfastError `INVALID_REQUEST` with every offence
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const offences = parsed.error.issues.map(({ path, message }) => ({ pointer: jsonPointer(path), message }));
  const [first] = offences;
  throw new HoldfastError("INVALID_REQUEST", `${first?.pointer || "/"}: ${first?.message}`, { offences });
}

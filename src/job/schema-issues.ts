import type { z } from "zod";
import type { Issue } from "../errors/holdfast-error.ts";
import { jsonPointer, OFFENCES_MAX } from "../lib/canonical-json.ts";

/**
 * What a schema found, as offences: the first 50.
 *
 * @param base where the value lies that was checked
 */
export function schemaIssues(error: z.ZodError | undefined, base: readonly string[] = []): Issue[] {
  // A body can be wrong in as many places as it has bytes; those that are not told are not even written.
  return (error?.issues.slice(0, OFFENCES_MAX) ?? []).flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== "unrecognized_keys") return [{ pointer: jsonPointer(path), message: issue.message }];
    return issue.keys.slice(0, OFFENCES_MAX).map((key) => ({
      pointer: jsonPointer([...path, key]),
      message: "expected no such member",
    }));
  });
}

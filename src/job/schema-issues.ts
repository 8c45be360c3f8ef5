import type { z } from "zod";
import type { Issue } from "../errors/holdfast-error.ts";
import { ISSUES_MAX, jsonPointer } from "../lib/canonical-json.ts";

/**
 * The first 50 issues that a schema found.
 *
 * @param base the path of the value that was checked
 */
export function schemaIssues(error: z.ZodError | undefined, base: readonly string[] = []): Issue[] {
  // A hostile body can have as many issues as bytes, so cut before mapping.
  return (error?.issues.slice(0, ISSUES_MAX) ?? []).flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== "unrecognized_keys") return [{ pointer: jsonPointer(path), message: issue.message }];
    return issue.keys.slice(0, ISSUES_MAX).map((key) => ({
      pointer: jsonPointer([...path, key]),
      message: "expected no such member",
    }));
  });
}

import type { Issue } from "../errors/holdfast-error.ts";
import { ISSUES_MAX, jsonPointer } from "./canonical-json.ts";
import type { SchemaIssue } from "./schema.ts";

/**
 * The first 50 issues that a schema found.
 *
 * @param base the path of the value that was checked
 */
export function schemaIssues(
  issues: readonly SchemaIssue[] | undefined,
  base: readonly string[] = [],
): Issue[] {
  // A hostile body can have as many issues as bytes, so cut before mapping.
  return (issues?.slice(0, ISSUES_MAX) ?? []).flatMap((issue) => {
    const path = [...base, ...pathOf(issue)];
    if (issue.code !== "unrecognized_keys")
      return [{ pointer: jsonPointer(path), message: messageOf(issue) }];
    return (issue.keys ?? []).slice(0, ISSUES_MAX).map((key) => ({
      pointer: jsonPointer([...path, key]),
      message: "expected no such member",
    }));
  });
}

/** Zod names its own schema where a member of any kind is missing. */
function messageOf({ expected, message }: SchemaIssue): string {
  return expected === "nonoptional" ? "expected a value, got none" : message;
}

/** Some libraries wrap each step in an object. */
export function pathOf({ path = [] }: SchemaIssue): PropertyKey[] {
  return path.map((step) => (typeof step === "object" ? step.key : step));
}

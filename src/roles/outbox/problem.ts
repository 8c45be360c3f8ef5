import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { messageOf } from "../../platform/lib/thrown.ts";

/** In characters; of issues, in number. Operators read many problems at once. */
const MESSAGE_MAX = 1_000;
const ISSUE_MAX = 200;
const ISSUES_MAX = 20;

/** Finds a problem's code, which stands first, without reading its JSON: that can hold what PostgreSQL cannot. */
export const CODE_OF_PROBLEM = `substring(left(problem::text, 200) FROM '^{\\s*"code"\\s*:\\s*"([^"]+)"')`;

/** Why a row is parked, as JSON that PostgreSQL can store and read in each encoding: ASCII, without what its texts cannot hold. */
export function storedProblem(error: unknown): string {
  const { code, message, issues } =
    error instanceof HoldfastError ? error : { code: "INTERNAL", message: messageOf(error), issues: [] };
  const shown = issues.slice(0, ISSUES_MAX).map((issue) => ({
    pointer: shortened(issue.pointer, ISSUE_MAX),
    message: shortened(issue.message, ISSUE_MAX),
  }));
  const problem = {
    code,
    message: shortened(message, MESSAGE_MAX),
    ...(shown.length > 0 && { issues: shown }),
  };
  return JSON.stringify(problem).replace(/[\u007f-\uffff]/g, escaped);
}

function shortened(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max)}...` : text;
  return cut.replaceAll("\0", "\ufffd").toWellFormed();
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

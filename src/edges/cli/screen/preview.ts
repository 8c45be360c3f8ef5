import { print, printError, printJson, textFor } from "./output.ts";
import type { Lines } from "./text.ts";

interface Preview {
  readonly lines: Lines;
  /** The same as JSON. */
  readonly value: object;
  /** Whether nothing follows: then it is the command's outcome. */
  readonly isLast: boolean;
}

/** Shows what would be done. With `--json` standard output is for the outcome, and only a person who is asked needs the preview. */
export function showPreview(
  { json, yes }: { readonly json?: true | undefined; readonly yes?: true | undefined },
  { lines, value, isLast }: Preview,
): void {
  if (!json) print(lines);
  else if (isLast) printJson(value);
  else if (!yes) printError(textFor(lines).trimEnd());
}

import { setImmediate as turn } from "node:timers/promises";
import { type ListOfParts, type ParsedJson, type Range, Scan } from "./parse-json.ts";

/** About 10 ms of a text that takes long. */
const STEP_CHARACTERS = 32_768;
const STEP_MS = 10;

/** A large text's value, but for those of a list's values that are too long. */
export interface ParsedParts extends ParsedJson {
  /** The indexes of the values that were not parsed; they are null in the list. */
  readonly tooLong: readonly number[];
  /** Whether the text is too long without the list's values: then nothing was parsed. */
  readonly isTooLong: boolean;
}

/**
 * Reads a stranger's large JSON as `parseJson` does, in short steps between which others have their turn.
 *
 * `JSON.parse` takes seconds for a few megabytes of the worst kind, and cannot be interrupted. So each value of the list is parsed by itself,
 * and the rest of the text without them.
 *
 * @param options.partMax characters that `JSON.parse` gets at a time, at most
 * @throws SyntaxError for a text that is not JSON; HoldfastError `INVALID_REQUEST` for a list that is too long
 */
export async function parseLargeJson(
  text: string,
  {
    partsAt,
    list,
    partMax,
  }: { readonly partsAt: number; readonly list?: ListOfParts; readonly partMax: number },
): Promise<ParsedParts> {
  const scan = new Scan(text, partsAt, list);
  while (!scan.run(STEP_CHARACTERS)) await turn();
  const { issues } = scan;
  const parts = scan.parts.filter(([from, to]) => text.slice(from, to).trim() !== "");
  const rest = without(text, parts);
  if (rest.length > partMax) return { value: undefined, issues, tooLong: [], isTooLong: true };
  const value: unknown = JSON.parse(rest);
  const values: unknown[] = [];
  let begun = performance.now();
  for (const [from, to] of parts) {
    values.push(to - from > partMax ? null : JSON.parse(text.slice(from, to)));
    if (performance.now() - begun < STEP_MS) continue;
    await turn();
    begun = performance.now();
  }
  const tooLong = parts.flatMap(([from, to], index) => (to - from > partMax ? [index] : []));
  return { value: withList(value, list, values), issues, tooLong, isTooLong: false };
}

/** The text, with a 0 for each part: what is JSON with it is JSON with any value. */
function without(text: string, parts: readonly Range[]): string {
  let kept = "";
  let at = 0;
  for (const [from, to] of parts) {
    kept += `${text.slice(at, from)}0`;
    at = to;
  }
  return kept + text.slice(at);
}

function withList(value: unknown, list: ListOfParts | undefined, values: readonly unknown[]): unknown {
  if (list === undefined || values.length === 0) return value;
  return { ...(value as object), [list.name]: values };
}

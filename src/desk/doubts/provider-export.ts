// Also part of the console: the file of an export need not leave the operator's browser. So it imports nothing.

/** The texts of an export, or why it cannot be read. */
export type ReadExport = { readonly values: ReadonlySet<string> } | { readonly fault: string };

/**
 * Reads the texts in an export: every cell of a CSV file below its heading, or every text in the objects of an NDJSON file.
 *
 * @param column only of this column or field; `a.b` is `b` inside `a`
 */
export function readExport(text: string, column?: string): ReadExport {
  const plain = text.replace(/^\uFEFF/, "");
  return plain.trimStart().startsWith("{") ? fromNdjson(plain, column) : fromCsv(plain, column);
}

/** What an export proposes for effects in doubt. */
export interface ImportPlan<Doubt> {
  readonly done: readonly Doubt[];
  readonly notDone: readonly Doubt[];
  /** How many stay in doubt. */
  readonly left: number;
}

/** The provider's clock may differ, people round to minutes, and what was on its way may have arrived a little later. */
export const EXPORT_MARGIN_MS = 60_000;

/**
 * Whether an export would name an effect, had it happened: only if it was in doubt a minute before the instant until which the export is
 * complete. No export is complete beyond now.
 *
 * @param completeUntil and now, in milliseconds since 1970
 */
export function wouldBeNamed(
  { since }: { readonly since: string },
  completeUntil: number,
  now: number,
): boolean {
  return Date.parse(since) < Math.min(completeUntil, now) - EXPORT_MARGIN_MS;
}

interface Exported {
  /** The effect's identity downstream. */
  readonly effectKey: string | null;
  readonly since: string;
}

/**
 * What the export names is done. Where an effect's name cannot be decrypted, its key is not known: it is never in an export, and stays.
 *
 * @param rest until when the export is complete: what it should name and does not is not done; undefined: all others stay
 */
export function planImport<Doubt extends Exported>(
  doubts: readonly Doubt[],
  values: ReadonlySet<string>,
  rest: { readonly completeUntil: number; readonly now: number } | undefined,
): ImportPlan<Doubt> {
  const isNamed = ({ effectKey }: Doubt) => effectKey !== null && values.has(effectKey);
  const isNotDone = (doubt: Doubt) =>
    rest !== undefined && doubt.effectKey !== null && wouldBeNamed(doubt, rest.completeUntil, rest.now);
  const others = doubts.filter((doubt) => !isNamed(doubt));
  const notDone = others.filter(isNotDone);
  return { done: doubts.filter(isNamed), notDone, left: others.length - notDone.length };
}

export function evidenceOfRest(evidence: string): string {
  return `not in: ${evidence}`;
}

function fromNdjson(text: string, column: string | undefined): ReadExport {
  const values = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const record = parse(line);
    if (record === undefined) return { fault: `line ${index + 1}: expected JSON` };
    addTexts(column === undefined ? record : fieldOf(record, column), values);
  }
  return values.size === 0 && column !== undefined
    ? { fault: `no line has a field "${column}"` }
    : { values };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldOf(record: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), record);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function addTexts(value: unknown, values: Set<string>): void {
  if (typeof value === "string") values.add(value.trim());
  else if (isObject(value)) for (const inner of Object.values(value)) addTexts(inner, values);
}

function fromCsv(text: string, column: string | undefined): ReadExport {
  const [heading = [], ...rows] = csvRows(text);
  if (column === undefined) return { values: new Set(rows.flat()) };
  const at = heading.indexOf(column);
  if (at < 0) return { fault: `there is no column "${column}", but ${heading.join(", ")}` };
  return { values: new Set(rows.map((row) => row[at] ?? "")) };
}

/** RFC 4180, and with semicolons or tabs, as spreadsheets write them. */
function csvRows(text: string): string[][] {
  const [first = ""] = text.split("\n", 1);
  const separator = [",", ";", "\t"].find((candidate) => first.includes(candidate)) ?? ",";
  const rows: string[][] = [[]];
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)"|([^"\\r\\n${separator}][^\\r\\n${separator}]*))?(${separator}|\\r?\\n|$)`,
    "gy",
  );
  for (const [, quoted, plain = "", end = ""] of text.matchAll(cell)) {
    rows.at(-1)?.push((quoted?.replaceAll('""', '"') ?? plain).trim());
    if (end !== separator) rows.push([]);
    if (end === "") break;
  }
  return rows.filter((row) => row.some((value) => value !== ""));
}

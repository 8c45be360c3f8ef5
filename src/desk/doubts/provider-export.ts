// Also part of the console: the file of an export need not leave the operator's browser. So it imports nothing.

/** The texts of an export and its own instants, or why it cannot be read. */
export type ReadExport =
  | { readonly values: ReadonlySet<string>; readonly instants: readonly string[] }
  | { readonly fault: string };

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

const INSTANT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/;
const WALL_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/;

/**
 * Milliseconds since 1970 of what a clock in a zone shows. Where it shows that twice, as clocks are set back, the first time counts:
 * an export that is complete until an earlier instant says less.
 *
 * @param text `2026-12-01` or `2026-12-01T12:00`
 * @param zone an IANA name
 * @returns undefined for another text, and for a zone that nobody knows
 */
export function wallTime(text: string, zone: string): number | undefined {
  if (!WALL_TIME.test(text)) return undefined;
  const asUtc = Date.parse(text.includes("T") ? `${text}Z` : `${text}T00:00Z`);
  if (Number.isNaN(asUtc)) return undefined;
  try {
    // The offset can change on that day: one of the two is right, or, in the hour that is left out, neither: then the earlier instant.
    const before = asUtc - offsetMs(asUtc - DAY_MS, zone);
    const after = asUtc - offsetMs(asUtc + DAY_MS, zone);
    const isRight = (at: number) => at + offsetMs(at, zone) === asUtc;
    return [Math.min(before, after), Math.max(before, after)].find(isRight) ?? Math.min(before, after);
  } catch {
    return undefined;
  }
}

const DAY_MS = 86_400_000;

/** @throws RangeError for a zone that nobody knows */
function offsetMs(at: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    ...{
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    },
  }).formatToParts(at);
  const number = (name: string) => Number(parts.find(({ type }) => type === name)?.value);
  const [year, month, day] = [number("year"), number("month"), number("day")];
  const shown = Date.UTC(year, month - 1, day, number("hour"), number("minute"), number("second"));
  return shown - Math.floor(at / 1_000) * 1_000;
}

/** So much may lie between an export's last entry and the instant until which it is complete, without a question: zones differ by more. */
const QUIET_MS = 14 * 60_000;

/** Why an export may not be complete until an instant: its entries have no zone, or end well before. */
export type UntilDoubt =
  | { readonly kind: "no-zone"; readonly instant: string }
  | { readonly kind: "ends-before"; readonly latest: number; readonly byMs: number };

/**
 * Checks until when an export is complete against its own instants: a wrong hour would run again what the export does not name yet.
 *
 * @param zone of instants that name none; undefined: nobody has said
 * @param completeUntil and now, in milliseconds since 1970
 * @returns undefined where nothing speaks against it
 */
export function doubtUntil(
  instants: readonly string[],
  zone: string | undefined,
  { completeUntil, now }: { readonly completeUntil: number; readonly now: number },
): UntilDoubt | undefined {
  const latest: number[] = [];
  for (const instant of instants) {
    const [, day = "", time = "", own] = INSTANT.exec(instant) ?? [];
    const named = own ?? zone;
    if (named === undefined) return { kind: "no-zone", instant };
    const at =
      own === undefined ? wallTime(`${day}T${time}`, named) : Date.parse(`${day}T${time}${offsetOf(own)}`);
    // What is yet to come, such as when something expires, says nothing of the export.
    if (at !== undefined && at <= now + EXPORT_MARGIN_MS) latest.push(at);
  }
  if (latest.length === 0) return undefined;
  const last = Math.max(...latest);
  const byMs = Math.min(completeUntil, now) - last;
  return byMs > QUIET_MS ? { kind: "ends-before", latest: last, byMs } : undefined;
}

function offsetOf(zone: string): string {
  return zone === "UTC" || zone === "GMT" ? "Z" : zone;
}

function instantsIn(texts: Iterable<string>): string[] {
  return [...new Set(texts)].filter((text) => INSTANT.test(text));
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
  const all = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const record = parse(line);
    if (record === undefined) return { fault: `line ${index + 1}: expected JSON` };
    addTexts(column === undefined ? record : fieldOf(record, column), values);
    addTexts(record, all);
  }
  return values.size === 0 && column !== undefined
    ? { fault: `no line has a field "${column}"` }
    : { values, instants: instantsIn(all) };
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
  const instants = instantsIn(instantCells(heading, rows));
  if (column === undefined) return { values: new Set(rows.flat()), instants };
  const at = heading.indexOf(column);
  if (at < 0) return { fault: `there is no column "${column}", but ${heading.join(", ")}` };
  return { values: new Set(rows.map((row) => row[at] ?? "")), instants };
}

/** A heading can name the zone of its column, such as `Created (UTC)`. */
function* instantCells(heading: readonly string[], rows: readonly (readonly string[])[]): Generator<string> {
  for (const row of rows)
    for (const [at, cell] of row.entries()) {
      const [, , , zone] = INSTANT.exec(cell) ?? [];
      yield zone === undefined && /\bUTC\b/.test(heading[at] ?? "") ? `${cell}Z` : cell;
    }
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

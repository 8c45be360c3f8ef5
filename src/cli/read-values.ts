import { readFile } from "node:fs/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";

/**
 * Reads the texts in an export: every cell of a CSV file below its heading, or every text in the objects of an NDJSON file.
 *
 * @param column only of this column or field; `a.b` is `b` inside `a`
 * @throws HoldfastError `USAGE`
 */
export async function readValues(file: string, column?: string): Promise<ReadonlySet<string>> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new HoldfastError("USAGE", `${file}: cannot be read`, { cause });
  });
  const plain = text.replace(/^\uFEFF/, "");
  return plain.trimStart().startsWith("{") ? fromNdjson(file, plain, column) : fromCsv(file, plain, column);
}

function fromNdjson(file: string, text: string, column: string | undefined): ReadonlySet<string> {
  const values = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const record = parse(file, index + 1, line);
    addTexts(column === undefined ? record : fieldOf(record, column), values);
  }
  if (values.size === 0 && column !== undefined)
    throw new HoldfastError("USAGE", `--column: no line of ${file} has a field "${column}"`);
  return values;
}

function parse(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError("USAGE", `${file}, line ${line}: expected JSON`, { cause });
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

function fromCsv(file: string, text: string, column: string | undefined): ReadonlySet<string> {
  const [heading = [], ...rows] = csvRows(text);
  if (column === undefined) return new Set(rows.flat());
  const at = heading.indexOf(column);
  if (at < 0)
    throw new HoldfastError(
      "USAGE",
      `--column: ${file} has no column "${column}"; it has ${heading.join(", ")}`,
    );
  return new Set(rows.map((row) => row[at] ?? ""));
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

import type { z } from "zod";
import { HoldfastError, type Issue } from "../errors/holdfast-error.ts";
import { DEPTH_MAX, ISSUES_MAX, isPoisonous, jsonPointer, POISONOUS } from "./canonical-json.ts";
import { schemaIssues } from "./schema.ts";

export interface ParsedJson {
  readonly value: unknown;
  /** What `JSON.parse` silently accepts; empty where the value is what the text says. */
  readonly issues: readonly Issue[];
}

/**
 * Reads a stranger's JSON. It reports what two readers could understand differently (RFC 7493 calls the rest I-JSON): repeated names in
 * an object, numbers that a double cannot hold; and what nobody means well: the names `__proto__` and `constructor`, and nesting
 * deeper than 64.
 *
 * @param partsAt the depth of parts that are checked by themselves, e.g. 2 for `{"jobs": [part, part]}`: the limits on depth and issues
 *   apply to each. @default 0, the whole
 * @throws SyntaxError for a text that is not JSON
 */
export function parseJson(text: string, partsAt = 0): ParsedJson {
  const value: unknown = JSON.parse(text);
  const scan = new Scan(text, partsAt);
  scan.run(text.length);
  return { value, issues: scan.issues };
}

/** The error for an input with these issues. */
export function malformed(issues: readonly Issue[], cause?: unknown): HoldfastError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new HoldfastError(
    issues.every(({ pointer }) => pointer.startsWith("/payload")) ? "INVALID_PAYLOAD" : "INVALID_REQUEST",
    `${first?.pointer || "/"}: ${first?.message ?? "malformed"}${more}`,
    { cause, issues },
  );
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const UPPER_E = 0x45;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const LOWER_E = 0x65;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Every double holds this many digits: shorter numbers need no check. */
const EXACT_DIGITS = 15;

/** A list in the text, e.g. `jobs` of `{"jobs": […]}`. */
export interface ListOfParts {
  readonly name: string;
  /** Longer lists are refused. */
  readonly max: number;
}

/** Where one of the list's values is in the text, with the space around it. */
export type Range = readonly [from: number, to: number];

/** One pass over a JSON text. Every submission pays for it. What it finds in a text that is no JSON means nothing. */
export class Scan {
  readonly issues: Issue[] = [];
  /** The values of the list. */
  readonly parts: Range[] = [];
  #at = 0;
  readonly #list: ListOfParts | undefined;
  #partFrom = 0;
  readonly #text: string;
  readonly #partsAt: number;
  /** The name or index in each open object or list. */
  readonly #path: (string | number)[] = [];
  /** The names seen in each; undefined for a list. */
  readonly #names: (Set<string> | undefined)[] = [];
  #awaitsName = false;
  #issuesOfPart = 0;

  constructor(text: string, partsAt: number, list?: ListOfParts) {
    this.#text = text;
    this.#partsAt = partsAt;
    this.#list = list;
  }

  /**
   * Goes on, by about so many characters.
   *
   * @returns whether it is at the end
   * @throws HoldfastError `INVALID_REQUEST` for a list that is too long
   */
  run(characters: number): boolean {
    const text = this.#text;
    const end = Math.min(text.length, this.#at + characters);
    let at = this.#at;
    for (; at < end; at++) at = this.#pass(at, text.charCodeAt(at));
    this.#at = at;
    return at >= text.length;
  }

  /** @returns the last position of the token that begins here */
  #pass(at: number, char: number): number {
    if (char === QUOTE) return this.#passString(at);
    if (char === MINUS || (char >= ZERO && char <= NINE)) return this.#passNumber(at);
    if (char === COMMA) this.#next(at);
    else if (char === OBJECT) this.#open(new Set(), at);
    else if (char === LIST) this.#open(undefined, at);
    else if (char === OBJECT_END || char === LIST_END) this.#close(at);
    return at;
  }

  #open(names: Set<string> | undefined, at: number): void {
    if (this.#path.length === DEPTH_MAX + this.#partsAt) this.#report(`expected at most ${DEPTH_MAX} levels`);
    this.#names.push(names);
    this.#path.push(0);
    this.#awaitsName = names !== undefined;
    if (this.#isInList()) this.#partFrom = at + 1;
  }

  #close(at: number): void {
    if (this.#isInList()) this.#endPart(at);
    this.#names.pop();
    this.#path.pop();
    this.#awaitsName = false;
  }

  /** Whether the values here are those of the list. */
  #isInList(): boolean {
    if (this.#list === undefined || this.#path.length !== 2) return false;
    return this.#path[0] === this.#list.name && this.#names[1] === undefined;
  }

  #endPart(at: number): void {
    const { name, max } = this.#list ?? { name: "", max: 0 };
    if (this.parts.push([this.#partFrom, at]) > max)
      throw malformed([{ pointer: jsonPointer([name]), message: `expected at most ${max} items` }]);
    this.#partFrom = at + 1;
  }

  #next(at: number): void {
    if (this.#isInList()) this.#endPart(at);
    const last = this.#path.length - 1;
    const step = this.#path[last];
    if (this.#names[last] !== undefined) this.#awaitsName = true;
    else if (typeof step === "number") this.#path[last] = step + 1;
    if (last < this.#partsAt) this.#issuesOfPart = 0;
  }

  #passString(from: number): number {
    const end = this.#endOfString(from);
    if (this.#awaitsName) this.#enter(this.#text.slice(from + 1, end));
    return end;
  }

  #endOfString(from: number): number {
    for (let end = this.#text.indexOf('"', from + 1); ; end = this.#text.indexOf('"', end + 1)) {
      let before = end - 1;
      if (end < 0) return this.#text.length;
      while (this.#text.charCodeAt(before) === BACKSLASH) before--;
      if ((end - before) % 2 === 1) return end;
    }
  }

  #enter(written: string): void {
    const name = written.includes("\\") ? (JSON.parse(`"${written}"`) as string) : written;
    const last = this.#path.length - 1;
    const names = this.#names[last];
    this.#path[last] = name;
    this.#awaitsName = false;
    if (names?.has(name)) this.#report("expected one member of this name");
    if (isPoisonous(name)) this.#report(POISONOUS);
    names?.add(name);
  }

  #passNumber(from: number): number {
    let end = from + 1;
    let isLong = false;
    for (let char = this.#text.charCodeAt(end); ; char = this.#text.charCodeAt(++end)) {
      if (char >= ZERO && char <= NINE) continue;
      if (char === LOWER_E || char === UPPER_E) isLong = true;
      else if (char !== POINT && char !== PLUS && char !== MINUS) break;
    }
    if (isLong || end - from > EXACT_DIGITS) this.#checkNumber(this.#text.slice(from, end));
    return end - 1;
  }

  #checkNumber(written: string): void {
    const fault = numberFault(written);
    if (fault !== undefined) this.#report(fault);
  }

  #report(message: string): void {
    this.#issuesOfPart++;
    if (this.#issuesOfPart <= ISSUES_MAX) this.issues.push({ pointer: jsonPointer(this.#path), message });
  }
}

/** Fractions may be rounded. A whole number must not change, and no number may overflow. */
function numberFault(written: string): string | undefined {
  const value = Number(written);
  if (!Number.isFinite(value) || (value === 0 && /^-?[0.]*[1-9]/.test(written)))
    return "expected a number within the range of a double";
  const whole = wholeNumber(written);
  // Equal if the double prints the same number.
  if (whole !== undefined && whole !== wholeNumber(String(value)))
    return "expected a whole number that a double can hold; send longer ones as text";
  return undefined;
}

/** Most long numbers, by the cheapest test. */
const PLAIN_FRACTION = /\.\d*[1-9]$/;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** A whole number in one notation, so that equal numbers are equal texts; undefined for a fraction. */
function wholeNumber(written: string): string | undefined {
  if (PLAIN_FRACTION.test(written)) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = NUMBER.exec(written) ?? [];
  const digits = whole + fraction;
  let first = 0;
  while (digits.charCodeAt(first) === ZERO) first++;
  // Not by a pattern such as /0+$/, which takes quadratic time for many zeros.
  let end = digits.length;
  while (end > first && digits.charCodeAt(end - 1) === ZERO) end--;
  if (first === end) return "0";
  const power = Number(exponent) - fraction.length + (digits.length - end);
  return power < 0 ? undefined : `${sign}${digits.slice(first, end)}e${power}`;
}

/**
 * Checks input against its schema.
 *
 * @throws HoldfastError `INVALID_REQUEST` with every issue
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw malformed(schemaIssues(parsed.error.issues));
}

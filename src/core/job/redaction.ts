/** Where a job's secrets are, as JSON pointers (RFC 6901). A step `*` is every member or element. */
export interface Redaction {
  readonly payload: readonly string[];
  readonly result: readonly string[];
}

/** The pointers into a JSON value of this type. Below five steps, any text. */
export type PointerInto<T, Depth extends readonly unknown[] = []> = unknown extends T
  ? string
  : Depth["length"] extends 5
    ? string
    : T extends readonly (infer Item)[]
      ? `/*${"" | PointerInto<NonNullable<Item>, [...Depth, unknown]>}`
      : T extends object
        ? {
            [Name in keyof T &
              string]-?: `/${Name}${"" | PointerInto<NonNullable<T[Name]>, [...Depth, unknown]>}`;
          }[keyof T & string]
        : never;

/** Removes secrets from a text. */
export type Scrub = (text: string) => string;

/** For jobs without secrets. */
export const asItIs: Scrub = (text) => text;

export const REDACTED = "[redacted]";
/** Shorter secrets are not searched for in texts: they would match almost everywhere. */
const SECRET_MIN = 4;
/**
 * Removes a payload's secrets from texts that may quote them, such as errors and log lines.
 *
 * It finds them literally and as JSON writes them, not shortened or in any other form.
 */
export function scrubberOf(payload: unknown, pointers: readonly string[]): Scrub {
  const secrets = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) collect(inner);
    else for (const form of [String(value), JSON.stringify(value)?.slice(1, -1)]) secrets.add(form ?? "");
  };
  for (const pointer of pointers)
    replaceAt(payload, stepsOf(pointer), (value) => {
      collect(value);
      return value;
    });
  return scrubAll([...secrets].filter(({ length }) => length >= SECRET_MIN));
}

/** In one pass over a text, however many secrets there are. Of those that overlap nothing stays. */
function scrubAll(secrets: string[]): Scrub {
  if (secrets.length === 0) return asItIs;
  const longestAt = findLongest(secrets);
  return (text) => {
    const budget: Budget = { steps: text.length * STEPS_PER_CHARACTER };
    let scrubbed = "";
    let end = 0;
    for (let at = 0; at <= text.length - SECRET_MIN; at += 1) {
      const length = longestAt(text, at, budget);
      if (length === 0) continue;
      if (at >= end) scrubbed += text.slice(end, at) + REDACTED;
      if (length === UNKNOWN) return scrubbed;
      end = Math.max(end, at + length);
    }
    return end === 0 ? text : scrubbed + text.slice(end);
  };
}

/**
 * A text of secrets needs about as many as the logarithm of their number. Only one that nearly repeats them at each place needs more, and
 * could take a worker minutes: it loses the rest.
 */
const STEPS_PER_CHARACTER = 32;
const UNKNOWN = Number.POSITIVE_INFINITY;

interface Budget {
  steps: number;
}

/** @returns the length of the longest secret that begins at a place of a text; 0 for none, `UNKNOWN` where the steps are used up */
function findLongest(secrets: string[]): (text: string, at: number, budget: Budget) => number {
  const sorted = secrets.sort();
  const beginnings = new Set(sorted.map((secret) => secret.slice(0, SECRET_MIN)));
  // Of each secret, the longest other one with which it begins.
  const shorter = new Int32Array(sorted.length).fill(-1);
  for (let index = 1; index < sorted.length; index += 1) {
    let before = index - 1;
    while (before >= 0 && !sorted[index]?.startsWith(sorted[before] ?? "")) before = shorter[before] ?? -1;
    shorter[index] = before;
  }
  return (text, at, budget) => {
    if (!beginnings.has(text.slice(at, at + SECRET_MIN))) return 0;
    // A secret that begins here is the last one that is not behind this text, or one with which that begins.
    let { index, common } = lastUpTo(sorted, text, at, budget);
    for (; index >= 0 && (sorted[index]?.length ?? 0) > common; budget.steps -= 1)
      index = shorter[index] ?? -1;
    return budget.steps < 0 ? UNKNOWN : (sorted[index]?.length ?? 0);
  };
}

/** The index of the last text of a sorted list that is not behind what a text has from a place on; -1 for none. And how much both have in common. */
function lastUpTo(sorted: readonly string[], text: string, at: number, budget: Budget) {
  let [low, high, common] = [0, sorted.length, 0];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const secret = sorted[middle] ?? "";
    const same = commonLength(secret, text, at);
    budget.steps -= same + 1;
    if (same === secret.length || secret.charCodeAt(same) < text.charCodeAt(at + same))
      [low, common] = [middle + 1, same];
    else high = middle;
  }
  return { index: low - 1, common };
}

/** How many characters a text has from a place on in common with a secret. */
function commonLength(secret: string, text: string, at: number): number {
  let common = 0;
  while (common < secret.length && secret.charCodeAt(common) === text.charCodeAt(at + common)) common += 1;
  return common;
}

/** Scrubs a log line's fields. Errors become plain JSON. */
export function scrubFields<T>(fields: T, scrub: Scrub): T | Record<string, unknown> {
  const json = (value: unknown): unknown => {
    if (typeof value === "string") return scrub(value);
    if (value instanceof Error) return { type: value.name, message: scrub(value.message) };
    if (Array.isArray(value)) return value.map(json);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [scrub(name), json(inner)]));
  };
  return json(fields) as T | Record<string, unknown>;
}

/** The steps of a JSON pointer. */
export function stepsOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Replaces what a path leads to. Null stays, to show that there is nothing. */
export function replaceAt(
  value: unknown,
  steps: readonly string[],
  replace: (value: unknown) => unknown,
): unknown {
  const [step, ...rest] = steps;
  if (value === undefined || value === null) return value;
  if (step === undefined) return replace(value);
  if (typeof value !== "object") return value;
  const inside = (name: string, inner: unknown) =>
    step === "*" || step === name ? replaceAt(inner, rest, replace) : inner;
  if (Array.isArray(value)) return value.map((inner, index) => inside(String(index), inner));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inside(name, inner)]));
}

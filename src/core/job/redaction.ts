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
  // The longest first: a secret may be part of another.
  const found = [...secrets].filter(({ length }) => length >= SECRET_MIN).sort((a, b) => b.length - a.length);
  return (text) => found.reduce((scrubbed, secret) => scrubbed.replaceAll(secret, REDACTED), text);
}

/** Scrubs a log line's fields. Errors become plain JSON. */
export function scrubFields<T>(fields: T, scrub: Scrub): T | Record<string, unknown> {
  const json = (value: unknown): unknown => {
    if (typeof value === "string") return scrub(value);
    if (value instanceof Error) return { type: value.name, message: scrub(value.message) };
    if (Array.isArray(value)) return value.map(json);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, json(inner)]));
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

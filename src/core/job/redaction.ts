import { type JsonSchema, jsonSchemaOf, type Schema } from "../../platform/lib/schema.ts";

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

const REDACTED = "[redacted]";
/** Shorter secrets are not searched for in texts: they would match almost everywhere. */
const SECRET_MIN = 4;
/** For types that this process does not know: they may have secrets anywhere. */
const everything: Redaction = { payload: [""], result: [""] };

export function redactionOf(
  types: ReadonlyMap<string, { readonly redact: Redaction }>,
  type: string,
): Redaction {
  return types.get(type)?.redact ?? everything;
}

/** Copies a value with its secrets replaced. Null stays, to show that there is no secret. */
export function redact(value: unknown, pointers: readonly string[]): unknown {
  return pointers.reduce((redacted, pointer) => replaceAt(redacted, stepsOf(pointer), () => REDACTED), value);
}

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

/**
 * @returns the pointers that lead nowhere in this schema: a mistyped one would expose its secret. If nothing is known of the
 *   schema's values, any pointer may lead somewhere.
 */
export function strayPointers(schema: Schema, io: "input" | "output", pointers: readonly string[]): string[] {
  if (pointers.length === 0) return [];
  const root = jsonSchemaOf(schema, io);
  const leads = (pointer: string) => root === undefined || leadsIn(root, stepsOf(pointer), root);
  return pointers.filter((pointer) => (pointer !== "" && !pointer.startsWith("/")) || !leads(pointer));
}

/** References can be circular. */
const REFERENCES_MAX = 20;

function leadsIn(schema: JsonSchema, steps: readonly string[], root: JsonSchema, references = 0): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  if (schema.$ref !== undefined) {
    const target = schema.$ref === "#" ? root : root.$defs?.[schema.$ref.replace("#/$defs/", "")];
    return (
      target !== undefined && references < REFERENCES_MAX && leadsIn(target, steps, root, references + 1)
    );
  }
  const { anyOf = [], oneOf = [], allOf = [] } = schema;
  return (
    [...anyOf, ...oneOf, ...allOf].some((branch) => leadsIn(branch, steps, root, references + 1)) ||
    innerSchemas(schema, step).some((inner) => leadsIn(inner, rest, root))
  );
}

function innerSchemas(schema: JsonSchema, step: string): JsonSchema[] {
  const { properties = {}, additionalProperties, items, prefixItems = [] } = schema;
  const isElement = step === "*" || /^\d+$/.test(step);
  const named = Object.entries(properties).filter(([name]) => step === "*" || step === name);
  const open = [additionalProperties, ...(isElement ? [items, ...prefixItems] : [])];
  return [
    ...named.map(([, inner]) => inner),
    ...open.filter((inner): inner is JsonSchema => typeof inner === "object"),
  ];
}

function stepsOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function replaceAt(value: unknown, steps: readonly string[], replace: (value: unknown) => unknown): unknown {
  const [step, ...rest] = steps;
  if (value === undefined || value === null) return value;
  if (step === undefined) return replace(value);
  if (typeof value !== "object") return value;
  const inside = (name: string, inner: unknown) =>
    step === "*" || step === name ? replaceAt(inner, rest, replace) : inner;
  if (Array.isArray(value)) return value.map((inner, index) => inside(String(index), inner));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inside(name, inner)]));
}

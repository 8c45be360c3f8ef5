import fc from "fast-check";
import type { JsonSchema } from "./openapi.ts";

const LENGTH_MAX = 30;
const ITEMS_MAX = 5;

/** Values that a schema allows. Parts of it are ignored, so some are wrong, which is welcome. */
export function valuesOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return fc.oneof(...choices.map(valuesOf));
  const types = [schema.type ?? "anything"].flat();
  return fc.oneof(...types.map((type) => valuesOfType(type, schema)));
}

function valuesOfType(type: string, schema: JsonSchema): fc.Arbitrary<unknown> {
  if (type === "string") return strings(schema);
  if (type === "integer") return fc.integer(boundsOf(schema));
  if (type === "number") return fc.double({ noNaN: true, noDefaultInfinity: true });
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "array") return fc.array(valuesOf(schema.items ?? {}), { maxLength: ITEMS_MAX });
  if (type === "object") return objects(schema);
  return fc.jsonValue({ maxDepth: 3 });
}

function boundsOf({ minimum = 0, maximum = 1_000 }: JsonSchema): { min: number; max: number } {
  const min = Math.max(minimum, -(2 ** 31));
  return { min, max: Math.max(min, Math.min(maximum, 2 ** 31 - 1)) };
}

function strings({ format, minLength = 0, maxLength = LENGTH_MAX }: JsonSchema): fc.Arbitrary<string> {
  if (format === "email") return fc.emailAddress();
  if (format === "uri") return fc.webUrl();
  if (format === "date-time")
    return fc
      .date({ min: new Date(0), max: new Date("2030-01-01"), noInvalidDate: true })
      .map((date) => date.toISOString());
  return fc.string({
    unit: "binary",
    minLength,
    maxLength: Math.max(minLength, Math.min(maxLength, LENGTH_MAX)),
  });
}

function objects({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> {
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, valuesOf(schema)]),
  );
  return fc.record(members, { requiredKeys: [...required] });
}

/** Values with one part replaced by another kind. */
export function spoiled(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .tuple(values, fc.array(fc.nat(), { maxLength: 4 }), fc.jsonValue())
    .map(([value, way, other]) => replaced(value, way, other));
}

function replaced(value: unknown, [step, ...rest]: readonly number[], other: unknown): unknown {
  if (step === undefined || typeof value !== "object" || value === null) return other;
  const names = Object.keys(value);
  const name = names[step % Math.max(1, names.length)];
  if (name === undefined) return other;
  const inner = replaced((value as Readonly<Record<string, unknown>>)[name], rest, other);
  return Array.isArray(value) ? value.with(Number(name), inner) : { ...value, [name]: inner };
}

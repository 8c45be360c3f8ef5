import type { JobContract } from "../../../core/job/contract.ts";
import { check, type JsonSchema, jsonSchemaOf } from "../../../platform/lib/schema.ts";

const DEPTH_MAX = 8;

/**
 * A payload that fits the job's contract: the schema's first example, or the least that its JSON Schema asks for.
 *
 * @returns undefined if none can be derived: what it asks for is not all in its JSON Schema
 */
export function examplePayload(job: Pick<JobContract, "payload">): unknown {
  const schema = jsonSchemaOf(job.payload, "input");
  if (schema === undefined) return undefined;
  const candidates = [
    ...(schema.examples ?? []),
    leastOf({ ...schema, examples: [] }, schema.$defs ?? {}, 0),
  ];
  return candidates.find((value) => value !== undefined && check(job.payload, value).issues === undefined);
}

type Definitions = Readonly<Record<string, JsonSchema>>;

function leastOf(schema: JsonSchema, definitions: Definitions, depth: number): unknown {
  const [given] = [...(schema.examples ?? []), ...(schema.enum ?? [])];
  const known = given ?? schema.const ?? schema.default;
  if (known !== undefined || depth > DEPTH_MAX) return known;
  const next = (inner: JsonSchema) => leastOf(inner, definitions, depth + 1);
  const referred = definitions[schema.$ref?.replace("#/$defs/", "") ?? ""];
  if (referred !== undefined) return next(referred);
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice !== undefined) return next(choice);
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map(next));
  return leastOfType(schema, next);
}

function leastOfType(schema: JsonSchema, next: (inner: JsonSchema) => unknown): unknown {
  const [type] = [schema.type].flat();
  switch (type) {
    case "object":
      return leastObject(schema, next);
    case "array":
      return leastArray(schema, next);
    case "string":
      return leastString(schema);
    case "integer":
    case "number":
      return leastNumber(schema);
    case "boolean":
      return true;
    default:
      return null;
  }
}

function leastObject(
  { properties = {}, required = [] }: JsonSchema,
  next: (inner: JsonSchema) => unknown,
): unknown {
  return Object.fromEntries(required.map((name) => [name, next(properties[name] ?? {})]));
}

function leastArray(
  { items, prefixItems, minItems = 0 }: JsonSchema,
  next: (inner: JsonSchema) => unknown,
): unknown {
  if (prefixItems !== undefined) return prefixItems.map(next);
  return Array.from({ length: minItems }, () => next(typeof items === "object" ? items : {}));
}

const formats: Readonly<Record<string, string>> = {
  email: "ada@example.com",
  uri: "https://example.com/",
  "date-time": "2026-12-01T09:00:00Z",
  date: "2026-12-01",
  time: "09:00:00",
  duration: "PT1H",
  uuid: "019ab3c2-7c1e-4d3a-9a54-5f2b8c1d0e6f",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
};

function leastString({ format = "", minLength = 0 }: JsonSchema): string {
  return formats[format] ?? "example".padEnd(minLength, "-");
}

function leastNumber({ minimum, exclusiveMinimum, maximum }: JsonSchema): number {
  if (exclusiveMinimum !== undefined) return Math.floor(exclusiveMinimum) + 1;
  const least = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? 0 : minimum;
  return Math.min(least, maximum ?? least);
}

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import { HoldfastError, type Issue } from "../errors/holdfast-error.ts";
import { ISSUES_MAX, jsonPointer } from "./canonical-json.ts";
import { messageOf as thrownText } from "./thrown.ts";

/** A [Standard Schema](https://standardschema.dev) of JSON: Zod's, Valibot's, ArkType's, and others. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** One thing that a schema found wrong. Zod's says more than the standard asks for. */
export interface SchemaIssue extends StandardSchemaV1.Issue {
  readonly code?: string | undefined;
  readonly expected?: unknown;
  readonly keys?: readonly string[];
}

export type Checked<Output> =
  | { readonly issues?: undefined; readonly value: Output }
  | { readonly issues: readonly SchemaIssue[] };

/** Of which only what is read here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly description?: string;
}

/** Schemas are objects, or with ArkType functions. */
export function isSchema(value: unknown): value is Schema {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as Partial<Schema>)["~standard"]?.validate === "function";
}

/**
 * Checks a value against a schema. Whatever the schema's own code throws is the contract's fault, and trying again does not mend it.
 *
 * @throws HoldfastError `SCHEMA_FAILED` if the schema throws, or is asynchronous: a payload is checked at once, wherever it is
 */
export function check<Output>(schema: Schema<unknown, Output>, value: unknown): Checked<Output> {
  let checked: ReturnType<typeof validate<Output>>;
  try {
    checked = validate(schema, value);
  } catch (cause) {
    throw schemaFailed(`The contract's schema threw: ${thrownText(cause)}`, cause);
  }
  if (!isThenable(checked)) return checked;
  checked.then(undefined, () => {});
  throw schemaFailed(asynchronous(schema));
}

function validate<Output>(
  schema: Schema<unknown, Output>,
  value: unknown,
): Checked<Output> | PromiseLike<Checked<Output>> {
  // Through the standard, Zod answers a promise where the schema's own code throws.
  if (!isOfZod(schema)) return schema["~standard"].validate(value);
  const parsed = schema.safeParse(value);
  return parsed.success ? { value: parsed.data as Output } : { issues: parsed.error.issues };
}

/** Of any version, as far as it is used here. */
interface OfZod {
  safeParse(
    value: unknown,
  ): { success: true; data: unknown } | { success: false; error: { issues: SchemaIssue[] } };
}

function isOfZod<S extends Schema>(schema: S): schema is S & OfZod {
  return schema["~standard"].vendor === "zod" && "safeParse" in schema;
}

function isThenable(checked: unknown): checked is PromiseLike<unknown> {
  return typeof (checked as { readonly then?: unknown } | undefined)?.then === "function";
}

function asynchronous(schema: Schema): string {
  return `expected a schema that checks at once, got an asynchronous one (${schema["~standard"].vendor})`;
}

function schemaFailed(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError("SCHEMA_FAILED", message, { cause });
}

/**
 * What is wrong with a schema that can be seen without a value: that it is asynchronous. Not all show it before they get a value that fits.
 *
 * @returns undefined if nothing is seen
 */
export function schemaFault(schema: Schema): string | undefined {
  try {
    const checked = validate(schema, undefined);
    if (!isThenable(checked)) return undefined;
    checked.then(undefined, () => {});
    return asynchronous(schema);
  } catch (thrown) {
    // A schema may throw for a value that no client can send.
    return isOfZod(schema) && SAYS_ASYNCHRONOUS.test(thrownText(thrown)) ? asynchronous(schema) : undefined;
  }
}

/** As all versions of Zod say it. */
const SAYS_ASYNCHRONOUS = /synchronous parse/i;

/** What a contract has in place of a schema. Zod knows the standard from 3.24 on. */
export function noSchema(value: unknown): string {
  const isOldZod = typeof value === "object" && value !== null && "_def" in value && "safeParse" in value;
  return isOldZod
    ? "expected a schema of Zod 3.24 or newer, got one of an older Zod"
    : "expected a schema of Zod, or any Standard Schema";
}

/** @returns undefined if the schema cannot be written as JSON Schema: then nothing is known of its values */
export function jsonSchemaOf(schema: Schema, io: "input" | "output"): JsonSchema | undefined {
  return asZod(schema, io) ?? asStandard(schema, io);
}

function isZod(schema: Schema): schema is Schema & z.ZodType {
  return "_zod" in schema && "safeParse" in schema;
}

/** Another version of Zod than ours may not be readable. */
function asZod(schema: Schema, io: "input" | "output"): JsonSchema | undefined {
  if (!isZod(schema)) return undefined;
  try {
    return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema;
  } catch {
    return undefined;
  }
}

function asStandard(schema: Schema, io: "input" | "output"): JsonSchema | undefined {
  const { jsonSchema }: Partial<StandardJSONSchemaV1.Props> = schema["~standard"];
  try {
    return jsonSchema?.[io]({ target: "draft-2020-12" });
  } catch {
    return undefined;
  }
}

/**
 * The first 50 issues that a schema found.
 *
 * @param base the path of the value that was checked
 */
export function schemaIssues(
  issues: readonly SchemaIssue[] | undefined,
  base: readonly string[] = [],
): Issue[] {
  // A hostile body can have as many issues as bytes, so cut before mapping.
  return (issues?.slice(0, ISSUES_MAX) ?? []).flatMap((issue) => {
    const path = [...base, ...pathOf(issue)];
    if (issue.code !== "unrecognized_keys")
      return [{ pointer: jsonPointer(path), message: messageOf(issue) }];
    return (issue.keys ?? []).slice(0, ISSUES_MAX).map((key) => ({
      pointer: jsonPointer([...path, key]),
      message: "expected no such member",
    }));
  });
}

/** Zod names its own schema where a member of any kind is missing, and what it has made of a text that is no number. */
function messageOf({ code, expected, message }: SchemaIssue): string {
  if (expected === "nonoptional") return "expected a value, got none";
  return code === "invalid_type" ? message.replace(/, received NaN$/, "") : message;
}

/** Some libraries wrap each step in an object. */
export function pathOf({ path = [] }: SchemaIssue): PropertyKey[] {
  return path.map((step) => (typeof step === "object" ? step.key : step));
}

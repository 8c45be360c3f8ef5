import type { Issue } from "../errors/holdfast-error.ts";
import {
  check,
  type JsonSchema,
  jsonSchemaOf,
  pathOf,
  type Schema,
  type SchemaIssue,
} from "../lib/schema.ts";
import { type Environment, environmentWith, invalidEnvironment } from "./settings.ts";

export interface ApplicationVariable {
  readonly name: string;
  /** Completes "expected …"; empty if the schema does not say. */
  readonly expected: string;
  /** The description in the schema. */
  readonly meaning: string;
  /** The default as text; empty if there is none. */
  readonly fallback: string;
  /** Its value must never be shown. */
  readonly isSecret: boolean;
}

/**
 * Reads the application's own variables, those of `defineConfig({ env })`, checked and typed. Call it where a handler uses them, not at
 * import: a process without handlers need not have them.
 *
 * @param schema an object schema with one member a variable; an empty variable counts as not set
 * @param env variables that replace those of this process @default none
 * @throws HoldfastError `CONFIG_INVALID` with one issue per faulty variable; values of secrets are not shown
 * @example const { SHOP_URL } = readEnv(env);
 */
export function readEnv<Values>(schema: Schema<unknown, Values>, env: Environment = {}): Values {
  const texts = textsFor(schema, environmentWith(env));
  const checked = check(schema, texts);
  if (checked.issues === undefined) return checked.value;
  throw invalidEnvironment(checked.issues.map((issue) => asIssue(issue, schema, texts)));
}

/** Lists the variables of a schema; none if it cannot be written as JSON Schema. */
export function applicationVariables(schema: Schema | undefined): ApplicationVariable[] {
  if (schema === undefined) return [];
  return Object.entries(jsonSchemaOf(schema, "input")?.properties ?? {}).map(([name, field]) => ({
    name,
    expected: expectedOf(field) ?? "",
    meaning: field.description ?? "",
    fallback: field.default === undefined ? "" : String(field.default),
    isSecret: isSecret(name, field),
  }));
}

/** A value as it may be shown: a secret's, and a URL with a password, never is. */
export function shownValue(text: string | undefined, secret: boolean): string {
  if (text === undefined) return "nothing";
  return secret || /:\/\/[^/]*@/.test(text) ? "(hidden)" : `"${text}"`;
}

/** The variables that a schema names; all if it cannot be written as JSON Schema. */
function textsFor(schema: Schema, env: Environment): Record<string, string> {
  const names = Object.keys(jsonSchemaOf(schema, "input")?.properties ?? env);
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

function asIssue(issue: SchemaIssue, schema: Schema, texts: Environment): Issue {
  const [first] = pathOf(issue);
  const pointer = String(first ?? "env");
  const known = applicationVariables(schema).find(({ name }) => name === pointer);
  const expected = known?.expected || (texts[pointer] === undefined ? "a value" : issue.message);
  const got = shownValue(texts[pointer], known?.isSecret ?? true);
  return { pointer, message: `expected ${expected}, got ${got}` };
}

const formats: Readonly<Record<string, string>> = {
  uri: "a URL",
  email: "a mail address",
  "date-time": "an instant such as 2026-12-01T09:00:00Z",
  uuid: "a UUID",
};

function expectedOf(field: JsonSchema & { readonly expected?: unknown }): string | undefined {
  if (typeof field.expected === "string") return field.expected;
  if (field.enum !== undefined) return `one of ${field.enum.join(", ")}`;
  if (field.format !== undefined && formats[field.format] !== undefined) return formats[field.format];
  if (field.type === "integer") return `a whole number${rangeOf(field)}`;
  if (field.type === "number") return `a number${rangeOf(field)}`;
  return field.type === "boolean" ? "true or false" : undefined;
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? "" : ` from ${minimum}`;
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`;
  return low + high;
}

/** By the schema's word, `.meta({ secret: true })`, or by the name. */
function isSecret(name: string, field: JsonSchema & { readonly secret?: unknown }): boolean {
  if (typeof field.secret === "boolean") return field.secret;
  return /SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|_KEY|KEYS|DSN|AUTH/.test(name);
}

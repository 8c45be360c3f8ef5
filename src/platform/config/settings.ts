import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import { HoldfastError, type Issue } from "../errors/holdfast-error.ts";
import { isLoopback } from "../lib/hosts.ts";
import { type Variable, type VariableName, variables } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment, read and checked: each variable under its own name. */
export type Settings = {
  readonly [Name in VariableName]: z.output<(typeof variables)[Name]["schema"]>;
};

/** Whose variables are read: Holdfast's own names, or for a role of the command also `HOST`, `PORT` and `LOG_LEVEL`. */
type Names = "own" | "bare-too";

/**
 * Reads and checks the whole environment.
 *
 * @param env the variables; by default those of this process
 * @throws HoldfastError `CONFIG_INVALID` with one issue per faulty variable
 */
export function readSettings(env: Environment = process.env, names: Names = "own"): Settings {
  const issues = unknownNames(env);
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const [name, { schema, expected, secret }] of entries) {
    const { pointer, text } = find(name, env, names);
    const parsed = schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else {
      const got = secret ? "(hidden)" : `"${text}"`;
      issues.push({ pointer, message: `expected ${expectedBy(parsed.error) ?? expected}, got ${got}` });
    }
  }
  const hostName = find("HOLDFAST_HOST", env, names).pointer;
  if (issues.length === 0) issues.push(...crossChecks(values as Settings, hostName));
  if (issues.length > 0) throw invalidEnvironment(issues);
  return values as Settings;
}

/** Where a schema knows better than the variable what it expects. */
function expectedBy({ issues }: z.ZodError): unknown {
  return issues.map((issue) => (issue.code === "custom" ? issue.params?.expected : undefined)).find(Boolean);
}

/** Reads the environment of one of the command's own roles. @throws HoldfastError as `readSettings` */
export function readRoleSettings(): Settings {
  return readSettings(process.env, "bare-too");
}

/** The environment of a role of the command: the bare names' values under Holdfast's own. */
export function roleEnvironment(env: Environment = process.env): Environment {
  const found = entries.map(([name]) => [name, find(name, env, "bare-too").text] as const);
  return { ...env, ...Object.fromEntries(found) };
}

const entries = Object.entries(variables) as [VariableName, Variable<unknown>][];

/** Finds a variable's text, and the name that it is set under. Empty is not set. */
function find(name: VariableName, env: Environment, names: Names): { pointer: string; text?: string } {
  const own = env[name];
  if (own && !isInjected(name, own)) return { pointer: name, text: own };
  const { bare }: Variable<unknown> = variables[name];
  const other = bare !== undefined && names === "bare-too" ? env[bare] : undefined;
  return bare !== undefined && other ? { pointer: bare, text: other } : { pointer: name };
}

/** The variables that `.env` has set. */
const namesFromFile = new Set<string>();

/** Reads `.env` in the working directory, if there is one. It never overrides a variable that is set. */
export function readDotEnv(): void {
  const file = resolve(".env");
  if (!existsSync(file)) return;
  const before = new Set(Object.keys(process.env));
  process.loadEnvFile(file);
  for (const name of Object.keys(process.env)) if (!before.has(name)) namesFromFile.add(name);
}

/** The environment for a child process of the command. It reads `.env` itself, so that a change of the file counts. */
export function childEnvironment(replaced: Environment): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !namesFromFile.has(name));
  return { ...Object.fromEntries(own), ...replaced };
}

/**
 * A variable that jobs read from `process.env` themselves.
 *
 * @param env what a role was given instead of `process.env`
 * @returns undefined if it is missing or empty
 */
export function readVariable(name: string, env: Environment = process.env): string | undefined {
  return env[name] || process.env[name] || undefined;
}

/**
 * Checks that the variables that jobs require are set.
 *
 * @param required which types require it, by name
 * @throws HoldfastError `CONFIG_INVALID` with one issue per missing variable
 */
export function requireVariables(
  required: ReadonlyMap<string, readonly string[]>,
  env: Environment = process.env,
): void {
  const missing = [...required].filter(([name]) => readVariable(name, env) === undefined);
  const issues = missing.map(([name, types]) => {
    const { expected = "a value" } = new Map(Object.entries(variables)).get(name) ?? {};
    return { pointer: name, message: `expected ${expected} (required by ${types.join(", ")}), got nothing` };
  });
  if (issues.length > 0) throw invalidEnvironment(issues);
}

/** The environment for a child process: this one's, with some variables replaced. */
export function environmentWith(replaced: Environment): NodeJS.ProcessEnv {
  return { ...process.env, ...replaced };
}

/** Replaces some variables of this process, for handlers that read `process.env` themselves. */
export function replaceVariables(replaced: Environment): void {
  for (const [name, value] of Object.entries(replaced)) if (value !== undefined) process.env[name] = value;
}

function unknownNames(env: Environment): Issue[] {
  return Object.entries(env)
    .filter(([name]) => name.startsWith("HOLDFAST_") && !Object.hasOwn(variables, name))
    .filter(([name, text = ""]) => !isInjected(name, text))
    .map(([name]) => ({
      pointer: name,
      message: `expected a known variable, got a name that Holdfast does not know`,
    }));
}

/** Kubernetes sets variables for each service in each pod. They look like ours if a service's name begins with `holdfast`. */
const INJECTED =
  /^HOLDFAST_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

function isInjected(name: string, text: string): boolean {
  return INJECTED.test(name) || (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(text));
}

function crossChecks(
  { HOLDFAST_HOST: host, HOLDFAST_API_KEYS: keys, HOLDFAST_RATE_LIMITS: limits }: Settings,
  hostName: string,
): Issue[] {
  const issues: Issue[] = [];
  if (!isLoopback(host) && keys.length === 0) {
    issues.push({
      pointer: hostName,
      message: `expected a loopback address while HOLDFAST_API_KEYS is not set, got "${host}"`,
    });
  }
  const names = new Set(["*", ...keys.map(({ name }) => name)]);
  const unknown = [...limits.keys()].filter((name) => !names.has(name));
  if (unknown.length > 0 || (limits.size > 0 && keys.length === 0)) {
    const got = unknown.length > 0 ? `"${unknown.join('", "')}"` : "limits and no keys";
    issues.push({
      pointer: "HOLDFAST_RATE_LIMITS",
      message: `expected names of keys in HOLDFAST_API_KEYS, got ${got}`,
    });
  }
  return issues;
}

/** `CONFIG_INVALID` with one line an issue. */
export function invalidEnvironment(issues: readonly Issue[]): HoldfastError {
  const lines = issues.map(({ pointer, message }) => `${pointer}: ${message}`);
  return new HoldfastError("CONFIG_INVALID", lines.join("\n"), { issues });
}

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<Given extends Options> = ReturnType<typeof parseArgs<{ options: Given }>>["values"];

/** Wrong usage of a command: exit code 2. */
export class UsageError extends Error {}

/**
 * Runs a command, then ends this process and its children. `--help` prints the usage.
 *
 * @param main returns the exit code; may throw a `UsageError`
 */
export async function runCommand<const Given extends Options>(
  usage: string,
  options: Given,
  main: (values: Values<Given>) => number | Promise<number>,
): Promise<never> {
  process.on("exit", killChildren);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
  try {
    const withHelp: Options = { ...options, help: { type: "boolean", short: "h" } };
    const { values } = parseArgs({ options: withHelp });
    process.exit(values.help ? say(usage) : await main(values as Values<Given>));
  } catch (error) {
    if (!isUsageError(error)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    process.exit(2);
  }
}

function isUsageError(error: unknown): error is Error {
  return (
    error instanceof UsageError ||
    (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"))
  );
}

/** @throws UsageError unless the option is a whole number from `min` to `max` */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${option}: expected a whole number from ${min} to ${max}, got "${text}"`);
}

/** @returns the given seed, or a random one */
export function seedFrom(text: string | undefined): number {
  const seeds = 2 ** 32;
  return text === undefined ? Math.floor(Math.random() * seeds) : wholeNumber("--seed", text, 0, seeds - 1);
}

/** @throws UsageError if files cannot be written there */
export function requireWritable(option: string, folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new UsageError(`${option}: expected a folder that can be written to, got "${folder}"`);
  }
}

/** @returns exit code 0 */
export function say(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

const children = new Set<ChildProcess>();

/** Kills the child when this process ends, however it ends. */
export function endWithUs(child: ChildProcess): void {
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.on("error", () => {});
}

function killChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}

/** @param signal SIGTERM lets it finish its work; SIGKILL ends it even when it is stopped */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

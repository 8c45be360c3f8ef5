import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { Command } from "commander";
import { nameSchema } from "../../../core/define/declaration.ts";
import { EFFECT_RESULT_MAX_BYTES } from "../../../core/effect/effect-run.ts";
import type { EffectCall } from "../../../core/job/effect.ts";
import { EffectBusyError, InDoubtError, NotDoneError } from "../../../evidence/attempt-errors.ts";
import { createGuard } from "../../../guard/create-guard.ts";
import { defineEffect } from "../../../guard/guard.ts";
import { environmentWith } from "../../../platform/config/settings.ts";
import { username } from "../../username.ts";
import { usage } from "../exit-code.ts";
import { goOnWithoutOutput, printError } from "../screen/output.ts";

interface OnceOptions {
  readonly key: string;
  readonly timeout: string;
  readonly wait: string;
  readonly notDone?: string;
  readonly about?: string;
}

/** `holdfast once`: a command at most once for each key, from cron, a script or a deploy. */
export function addOnceCommand(program: Command): void {
  program
    .command("once")
    .description("run a command at most once for each key; later calls print what it printed")
    .argument("<name>", "what it does: 1 to 64 lower-case letters, digits and dashes")
    .argument("<command...>", "after --: the command and its arguments; the same key with others is refused")
    .requiredOption("--key <key>", "what this run means, e.g. billing-2026-11")
    .option("--timeout <time>", "how long it may take, e.g. 500ms, 30s, 10m, 2h; then it is in doubt", "30s")
    .option("--wait <time>", "how long to wait while another call runs it", "0s")
    .option(
      "--not-done <codes>",
      "exit codes with which it says that nothing happened, e.g. 1,64; others leave a doubt",
    )
    .option("--about <text>", "shown with a doubt")
    .addHelpText(
      "after",
      `
The command gets HOLDFAST_EFFECT_KEY and HOLDFAST_EFFECT_FENCE, to pass downstream. Of its output, the last 8 KiB are kept.

Exit codes: the command's own where it ran; 0 where it was done before; 4 in doubt: see holdfast doubts list; 75 while another call runs it.

Example:
  holdfast once billing --key billing-2026-11 --timeout 10m --not-done 64 -- ./bill.sh 2026-11`,
    )
    .action(runOnce);
}

const IN_DOUBT = 4;
/** EX_TEMPFAIL of sysexits.h. */
const BUSY = 75;

async function runOnce(name: string, command: readonly string[], options: OnceOptions): Promise<void> {
  const { key, about } = options;
  const fault = nameSchema.safeParse(name).error?.issues[0];
  if (fault !== undefined) throw usage(`name: ${fault.message}, got ${JSON.stringify(name)}`);
  const effect = defineEffect({
    name,
    timeoutMs: timeOf("--timeout", options.timeout, "1ms", "24h"),
    inDoubt: "hold",
  });
  const notDone = codesOf(options.notDone);
  const guard = await createGuard({ effects: [effect] });
  let exitCode: number | undefined;
  const run = async (call: EffectCall) => {
    const ended = await runCommand(command, call);
    exitCode = ended.code;
    if (ended.code === 0) return ended.output;
    const message = `the command ended with ${ended.code}`;
    throw ended.isOwnCode && notDone.has(ended.code) ? new NotDoneError(message) : new Error(message);
  };
  const call = {
    key,
    content: [...command],
    waitMs: timeOf("--wait", options.wait, "0s", "10m"),
    by: username(),
  };
  try {
    const output = await guard.once(effect, about === undefined ? call : { ...call, about }, run);
    if (exitCode === undefined) process.stdout.write(String(output ?? ""));
  } catch (error) {
    const code = codeOf(error, exitCode);
    if (code === undefined) throw error;
    printError((error as Error).message);
    process.exitCode = code;
  } finally {
    await guard.stop();
  }
}

/** @returns undefined for what is no end of the command */
function codeOf(error: unknown, exitCode: number | undefined): number | undefined {
  if (exitCode !== undefined && exitCode !== 0) return exitCode;
  if (error instanceof EffectBusyError) return BUSY;
  return error instanceof InDoubtError ? IN_DOUBT : undefined;
}

const KEPT_BYTES = 8 * 1_024;
const OUTPUT_LEFT_MS = 1_000;
const FORWARDED = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Runs it with this process's input and output. A signal that would end this process ends the command instead. */
async function runCommand([program = "", ...args]: readonly string[], { key, fence, signal }: EffectCall) {
  const env = environmentWith({ HOLDFAST_EFFECT_KEY: key, HOLDFAST_EFFECT_FENCE: String(fence) });
  goOnWithoutOutput();
  const child = spawn(program, args, { env, stdio: ["inherit", "pipe", "inherit"] });
  await once(child, "spawn").catch(notStarted);
  // A signal that may not be sent, as to what sudo runs: the command goes on.
  child.on("error", () => {});
  let kept = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-KEPT_BYTES);
    // A slow reader slows the command; one that is gone does not.
    if (!process.stdout.write(chunk) && process.stdout.writable) child.stdout.pause();
  });
  const goOn = () => void child.stdout.resume();
  for (const event of ["drain", "error"]) process.stdout.on(event, goOn);
  const end = () => void child.kill("SIGTERM");
  for (const name of FORWARDED) process.on(name, end);
  signal.addEventListener("abort", end, { once: true });
  try {
    const [code, killedBy] = await ended(child);
    return {
      code: code ?? 128 + constants.signals[killedBy ?? "SIGKILL"],
      isOwnCode: code !== null,
      output: storable(kept.toString("utf8").toWellFormed()),
    };
  } finally {
    for (const name of FORWARDED) process.off(name, end);
    for (const event of ["drain", "error"]) process.stdout.off(event, goOn);
  }
}

type Ended = [code: number | null, killedBy: NodeJS.Signals | null];

/** Resolves once the command has ended, and its output is read. Not `once`, which an error would end before. */
function ended(child: ChildProcessByStdio<null, Readable, null>): Promise<Ended> {
  const { stdout } = child;
  child.once("exit", () => {
    // What it has started may keep its output open, and is not waited for.
    const look = setInterval(() => {
      if (!stdout.isPaused()) stdout.destroy();
    }, OUTPUT_LEFT_MS);
    child.once("close", () => clearInterval(look));
  });
  return new Promise((resolve) => child.once("close", (...how) => resolve(how)));
}

/** The end of an output, as much as a result may have: a control character is six times as long there. */
function storable(output: string): string {
  const isStorable = Buffer.byteLength(JSON.stringify(output)) <= EFFECT_RESULT_MAX_BYTES;
  return isStorable ? output : storable(output.slice(output.length / 2).toWellFormed());
}

function notStarted(cause: unknown): never {
  throw new NotDoneError(`the command could not be started: ${(cause as Error).message}`, { cause });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function timeOf(option: string, text: string, least: string, most: string): number {
  const ms = msOf(text);
  if (!(ms >= msOf(least) && ms <= msOf(most)))
    throw usage(
      `${option}: expected a time such as 500ms, 30s, 10m or 2h, from ${least} to ${most}, got "${text}"`,
    );
  return ms;
}

/** @returns NaN for what is no time */
function msOf(text: string): number {
  const [, count, unit = ""] = /^(\d{1,7})(ms|s|m|h)$/.exec(text) ?? [];
  return Number(count) * (unitMs[unit] ?? Number.NaN);
}

function codesOf(text: string | undefined): ReadonlySet<number> {
  const codes = (text ?? "").split(",").filter(Boolean).map(Number);
  if (codes.some((code) => !Number.isInteger(code) || code < 1 || code > 255))
    throw usage(`--not-done: expected exit codes from 1 to 255, such as 1,64, got "${text}"`);
  return new Set(codes);
}

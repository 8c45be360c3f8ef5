import { NotDoneError, PermanentError, RetryAfterError, SnoozeError } from "../../evidence/attempt-errors.ts";
import { textIn } from "../../evidence/error-tree.ts";
import { type ErrorCode, errorCodes, isErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { asError, messageOf, shortened } from "../../platform/lib/thrown.ts";

/** Why an attempt failed, as Redis keeps it and the status shows it. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Whether another attempt can help. */
  readonly retryable: boolean;
}

const MESSAGE_MAX = 1_000;

/** Why something failed, without secrets, and short enough to be kept and listed. */
export function reasonOf(thrown: unknown, scrub: (text: string) => string): string {
  return shortened(scrub(messageOf(thrown)), MESSAGE_MAX);
}

/**
 * Makes a failure of a thrown value. What is not a `HoldfastError` is a retryable `HANDLER_FAILED`.
 *
 * @param scrub removes secrets from the message
 */
export function failureOf(thrown: unknown, scrub = (text: string) => text): Failure {
  const error = asError(thrown);
  const message = scrub(error.message);
  if (error instanceof HoldfastError && isErrorCode(error.code))
    return { ...failure(error.code, message), retryable: error.retryable === true };
  return failure("HANDLER_FAILED", message);
}

/**
 * An error by which a handler, an effect or a probe says what follows. Its class counts, never its code: classes of another copy of Holdfast
 * are none.
 *
 * @returns the error, or one with the code of its class if the application has changed that; undefined for every other error
 */
export function wordOf(thrown: unknown): HoldfastError | undefined {
  const code = wordCode(thrown);
  if (code === undefined || !(thrown instanceof HoldfastError)) return undefined;
  if (textIn(thrown, "code") === code) return thrown;
  return new HoldfastError(code, messageOf(thrown), { cause: thrown, retryAfterMs: thrown.retryAfterMs });
}

function wordCode(thrown: unknown): ErrorCode | undefined {
  if (thrown instanceof PermanentError) return "PERMANENT_FAILURE";
  if (thrown instanceof SnoozeError) return "SNOOZED";
  if (thrown instanceof RetryAfterError) return "HANDLER_FAILED";
  if (!(thrown instanceof NotDoneError)) return undefined;
  return textIn(thrown, "code") === "PERMANENT_FAILURE" ? "PERMANENT_FAILURE" : "HANDLER_FAILED";
}

/** BullMQ's `reason`: `CODE: message`, readable in BullMQ's own tools. */
export function formatFailure({ code, message }: Failure): string {
  return `${code}: ${message}`;
}

const LINE = /^([A-Z_]+): (.*)$/s;

/** Whether a text is a line of `formatFailure`. */
export function isFailureLine(text: string): boolean {
  return isErrorCode(LINE.exec(text)?.[1] ?? "");
}

/**
 * Reads a line of `formatFailure`. Any other text, such as BullMQ's own, counts as `HANDLER_FAILED`.
 *
 * @param open decrypts the message; the code is never encrypted
 */
export function parseFailure(line: string, open = (message: string) => message): Failure {
  const [, code = "", message = ""] = LINE.exec(line) ?? [];
  return isErrorCode(code) ? failure(code, open(message)) : failure("HANDLER_FAILED", line);
}

function failure(code: ErrorCode, message: string): Failure {
  return { code, message: shortened(message, MESSAGE_MAX), retryable: errorCodes[code].retryable };
}

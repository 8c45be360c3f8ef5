import { type ErrorCode, errorCodes, isErrorCode } from "../errors/error-codes.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { asError } from "../lib/thrown.ts";

/** Why an attempt failed, as it is kept with the job and shown in its status. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Whether trying again can help. */
  readonly retryable: boolean;
}

const MESSAGE_MAX = 1_000;

/**
 * What a thrown value means. Anything that is not ours is the handler's own failure, and may be tried again.
 *
 * @param scrub takes secrets out of its message
 */
export function failureOf(thrown: unknown, scrub = (text: string) => text): Failure {
  const error = asError(thrown);
  const message = scrub(error.message);
  if (error instanceof HoldfastError && isErrorCode(error.code))
    return { ...failure(error.code, message), retryable: error.retryable === true };
  return failure("HANDLER_FAILED", message);
}

/** One line that people read in BullMQ's own tools too. */
export function formatFailure({ code, message }: Failure): string {
  return `${code}: ${message}`;
}

const LINE = /^([A-Z_]+): (.*)$/s;

/** Whether a text is such a line. */
export function isFailureLine(text: string): boolean {
  return isErrorCode(LINE.exec(text)?.[1] ?? "");
}

/**
 * Reads such a line back. A text that is not ours, e.g. BullMQ's own, counts as the handler's failure.
 *
 * @param open reads the message where it may be sealed; the code never is
 */
export function parseFailure(line: string, open = (message: string) => message): Failure {
  const [, code = "", message = ""] = LINE.exec(line) ?? [];
  return isErrorCode(code) ? failure(code, open(message)) : failure("HANDLER_FAILED", line);
}

function failure(code: ErrorCode, message: string): Failure {
  const text = message.toWellFormed();
  const short = text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX - 1)}…` : text;
  return { code, message: short, retryable: errorCodes[code].retryable };
}

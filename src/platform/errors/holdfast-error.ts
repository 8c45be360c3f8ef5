import { type ErrorCode, errorCodes } from "./error-codes.ts";

/** One thing that is wrong with an input: where (an RFC 6901 JSON pointer), and what. */
export interface Issue {
  readonly pointer: string;
  readonly message: string;
}

export interface HoldfastErrorOptions {
  readonly cause?: unknown;
  /** Everything that is wrong with the input, if the code is about bad input. */
  readonly issues?: readonly Issue[];
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** The one error class of Holdfast. `code` says what went wrong. */
export class HoldfastError extends Error {
  override readonly name: string = "HoldfastError";
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];
  readonly retryAfterMs: number | undefined;
  /** Whether the same request or job can succeed unchanged. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.retryable = errorCodes[code].retryable;
  }

  /** The HTTP status the API answers with. */
  get httpStatus(): number {
    return errorCodes[this.code].httpStatus;
  }
}

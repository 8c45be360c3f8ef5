import { type ErrorCode, errorCodes } from "./error-codes.ts";

/** One fault in the input: where (RFC 6901 JSON pointer into the request), and what is wrong with it. */
export interface Issue {
  readonly pointer: string;
  readonly message: string;
}

export interface HoldfastErrorOptions {
  readonly cause?: unknown;
  /** All that is wrong with the input, where the code is about bad input. */
  readonly issues?: readonly Issue[];
  /** After how long trying again makes sense, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** The one error class: everything Holdfast throws is one of these, told apart by `code`. */
export class HoldfastError extends Error {
  override readonly name: string = "HoldfastError";
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];
  readonly retryAfterMs: number | undefined;
  /** Whether the same request or job can succeed when tried again unchanged. */
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

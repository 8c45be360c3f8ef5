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
  /** Of a doubt that no job waits for. */
  readonly doubtId?: string | undefined;
}

/** RFC 9457 problem details, as the API answers them. */
export interface Problem {
  /** `urn:holdfast:error:CODE` */
  readonly type: string;
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** Everything that is wrong with the input. Absent if the code is not about input. */
  readonly errors?: readonly Issue[];
  /** Of the doubt. Only with `IN_DOUBT`. */
  readonly id?: string;
}

/** The same in every copy of the package. */
const BRAND = Symbol.for("holdfast.error");

/**
 * The one error class of Holdfast. `code` says what went wrong.
 *
 * Express, Fastify and NestJS answer with its `statusCode` by themselves.
 */
export class HoldfastError extends Error {
  override readonly name: string = "HoldfastError";
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];
  readonly retryAfterMs: number | undefined;
  /** Of the doubt. Only with `IN_DOUBT`. */
  readonly doubtId: string | undefined;
  /** Whether the same request or job can succeed unchanged. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.doubtId = options.doubtId;
    this.retryable = errorCodes[code].retryable;
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /** The HTTP status the API answers with, 400 to 599. */
  get statusCode(): number {
    return errorCodes[this.code].httpStatus;
  }

  /** The body of an answer with the type `application/problem+json`. It shows the message, never the cause or the stack. */
  toProblem(): Problem {
    const { code, message: detail, issues, doubtId, statusCode: status } = this;
    return {
      type: `urn:holdfast:error:${code}`,
      title: errorCodes[code].title,
      status,
      detail,
      code,
      ...(issues.length > 0 && { errors: issues }),
      ...(doubtId !== undefined && { id: doubtId }),
    };
  }
}

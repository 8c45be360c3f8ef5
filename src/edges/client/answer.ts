import { type ErrorCode, isErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError, type Issue } from "../../platform/errors/holdfast-error.ts";

/** A problem as the API sends it, or an older or newer API. */
interface SentProblem {
  readonly code: string;
  readonly detail: string;
  readonly status: number;
  readonly errors?: readonly Issue[];
  readonly id?: string;
}

/**
 * Reads the JSON of an answer.
 *
 * @throws HoldfastError with the code of the problem; `API_UNREACHABLE` if the connection or a gateway fails,
 *   `ANSWER_INVALID` if something else answered than Holdfast
 */
export async function readAnswer(response: Response): Promise<unknown> {
  if (isRedirect(response)) throw notHoldfast("a redirect: give createClient the address that it leads to");
  const text = await response.text().catch(lost);
  const body = parse(text);
  if (response.ok && body !== undefined) return body;
  if (isProblem(body)) throw errorOf(body, retryAfterMs(response.headers));
  throw strangeAnswer(response);
}

export function errorOf(problem: SentProblem, retryAfterMs?: number): HoldfastError {
  const { detail, errors: issues = [], id: doubtId } = problem;
  return new HoldfastError(codeOf(problem), detail, { issues, retryAfterMs, doubtId });
}

export function isProblem(body: unknown): body is SentProblem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body && "status" in body;
}

/** No answer, for now. */
export function apiUnreachable(
  why: string,
  more: { cause?: unknown; retryAfterMs?: number } = {},
): HoldfastError {
  return new HoldfastError("API_UNREACHABLE", `The API cannot be reached: ${why}`, more);
}

/** The same error for a request with an idempotency key. */
export function safeToRepeat(thrown: unknown): unknown {
  if (!(thrown instanceof HoldfastError) || thrown.code !== "API_UNREACHABLE") return thrown;
  const message = `${thrown.message}. Sending it again with the same key is safe`;
  return new HoldfastError("API_UNREACHABLE", message, thrown);
}

export function notHoldfast(what: string): HoldfastError {
  return new HoldfastError("ANSWER_INVALID", `Expected an answer of Holdfast, got ${what}`);
}

/** When to try again, from seconds or a date; undefined if the header is absent or not valid. */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function lost(cause: unknown): never {
  if (cause instanceof HoldfastError) throw cause;
  throw apiUnreachable("the connection was lost during the answer", { cause });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A newer API can have codes that this client does not know. */
function codeOf({ code, status }: SentProblem): ErrorCode {
  if (isErrorCode(code)) return code;
  return status >= 500 ? "INTERNAL" : "INVALID_REQUEST";
}

/** A gateway's failure may pass; anything else that is no answer of Holdfast stays wrong. */
function strangeAnswer({ status, headers }: Response): HoldfastError {
  if (status < 500 && status !== 429) return notHoldfast(`something else with status ${status}`);
  const afterMs = retryAfterMs(headers);
  return apiUnreachable(`something in between answered with status ${status}`, {
    ...(afterMs !== undefined && { retryAfterMs: afterMs }),
  });
}

function isRedirect({ type, status }: Response): boolean {
  return type === "opaqueredirect" || (status >= 300 && status < 400);
}

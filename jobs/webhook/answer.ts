import { type Classify, HoldfastError, PermanentError, RetryAfterError } from "holdfast";
import { http } from "holdfast/evidence";
import type { Answer } from "./post.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 60 * 60 * SECOND_MS;
const LOCATION_MAX = 200;
/** 4xx that another try can change. All but 429 may come after the event was accepted. */
const UNCLEAR: ReadonlySet<number> = new Set([408, 409, 423, 425, 429, 499]);

/**
 * Returns if the receiver accepted the event.
 *
 * @throws PermanentError if another try cannot help: redirects, and most of 4xx
 * @throws RetryAfterError if it may help and the receiver says when; `classifyAnswer` says what it proves
 */
export function requireAccepted(answer: Answer): void {
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  if (status >= 300 && status < 400) throw new PermanentError(redirected(answer));
  const message = `The receiver answered ${status}`;
  if (status < 500 && !UNCLEAR.has(status)) throw new PermanentError(message);
  const waitMs = retryAfterMs(answer.retryAfter, Date.now());
  const cause = { status };
  throw waitMs === undefined
    ? new Error(message, { cause })
    : new RetryAfterError(waitMs, message, { cause });
}

/**
 * What an answer that may be another one next time proves: the receiver of a 503 may have accepted the event, whenever it wants to see it again.
 * So the answer is read, not the word with which it is passed on.
 */
export const classifyAnswer: Classify = (error, seen) =>
  http(error instanceof HoldfastError ? error.cause : error, seen);

/**
 * Reads `Retry-After` (RFC 9110, 10.2.3), bounded to between a second and an hour.
 *
 * @param header seconds, or an HTTP date
 * @returns undefined if it is absent or invalid
 */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  const isDate = /^[A-Za-z]+, .* GMT$/.test(text);
  const ms = /^\d+$/.test(text) ? Number(text) * SECOND_MS : isDate ? Date.parse(text) - now : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, SECOND_MS), HOUR_MS);
}

function redirected({ status, location = "nowhere" }: Answer): string {
  return `The receiver answered ${status} and points to ${location.slice(0, LOCATION_MAX)}; redirects are not followed`;
}

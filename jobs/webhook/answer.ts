import { PermanentError, RetryAfterError } from "holdfast";
import type { Answer } from "./post.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 60 * 60 * SECOND_MS;
const LOCATION_MAX = 200;

/**
 * Returns if the receiver accepted the event.
 *
 * @throws PermanentError if another try cannot help: redirects, and 4xx other than 408 and 429
 * @throws RetryAfterError if it may help and the receiver says when
 */
export function requireAccepted(answer: Answer): void {
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  if (status >= 300 && status < 400) throw new PermanentError(redirected(answer));
  const message = `The receiver answered ${status}`;
  if (status < 500 && status !== 408 && status !== 429) throw new PermanentError(message);
  const waitMs = retryAfterMs(answer.retryAfter, Date.now());
  throw waitMs === undefined ? new Error(message) : new RetryAfterError(waitMs, message);
}

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

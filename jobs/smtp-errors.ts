import { type EffectVerdict, PermanentError } from "holdfast";

/** How far the delivery of one mail has come. What its failure means depends on that. */
export interface SmtpProgress {
  /** Whether the server may have seen the first byte of the message. */
  dataBegun: boolean;
}

/**
 * What a failed delivery says about whether the mail was sent.
 *
 * Before the message was begun nothing can have been sent, whatever went wrong: name, connection, greeting, TLS, login,
 * sender, recipient, an abort. After that only a reply of 4xx or 5xx proves that the server did not take the mail (RFC
 * 5321, 4.2.1); a lost connection, a time-out or an abort leaves everything possible.
 */
export function classifySmtpError(error: unknown, { dataBegun }: Readonly<SmtpProgress>): EffectVerdict {
  return !dataBegun || isRefusal(replyCode(error)) ? "not-done" : "unknown";
}

/** What to throw for a failed delivery: a server that refuses with 5xx refuses for good (RFC 5321, 4.2.1). */
export function smtpFailure(error: unknown): unknown {
  const code = replyCode(error);
  if (!isRefusal(code) || code < 500) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PermanentError(`The mail server refused: ${reason}`, { cause: error });
}

function isRefusal(code: number | undefined): code is number {
  return code !== undefined && code >= 400 && code <= 599;
}

/**
 * The server's reply that made nodemailer give up, if it was a reply. Neither its `code` nor its `command` can be used:
 * it says ETIMEDOUT for a missing greeting and for a silent server after the message, and CONN for whatever was last.
 */
function replyCode(error: unknown): number | undefined {
  const reported = error instanceof PermanentError ? error.cause : error;
  if (!(reported instanceof Error) || !("responseCode" in reported)) return undefined;
  return typeof reported.responseCode === "number" ? reported.responseCode : undefined;
}

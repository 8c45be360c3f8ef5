import { type EffectVerdict, PermanentError } from "holdfast";

/** How far the delivery of a mail has come, which decides what a failure means. */
export interface SmtpProgress {
  /** Whether the server may have seen the first byte of the message. */
  dataBegun: boolean;
}

/**
 * Whether a failed delivery proves that the mail was not sent.
 *
 * Before the message was begun, nothing was sent, whatever went wrong. After that, only a 4xx or 5xx reply proves that the
 * server did not accept the mail (RFC 5321, 4.2.1); after a lost connection, a time-out or an abort nobody can know.
 */
export function classifySmtpError(error: unknown, { dataBegun }: Readonly<SmtpProgress>): EffectVerdict {
  return !dataBegun || isRefusal(replyCode(error)) ? "not-done" : "unknown";
}

/** The error to throw for a failed delivery. A 5xx reply is permanent (RFC 5321, 4.2.1). */
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
 * The reply code that made nodemailer give up, if there was one. Its `code` and `command` do not help: ETIMEDOUT can mean
 * before or after the message, and the command is often CONN.
 */
function replyCode(error: unknown): number | undefined {
  const reported = error instanceof PermanentError ? error.cause : error;
  if (!(reported instanceof Error) || !("responseCode" in reported)) return undefined;
  return typeof reported.responseCode === "number" ? reported.responseCode : undefined;
}

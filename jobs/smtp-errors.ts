import type { Classify } from "holdfast";
import { smtp } from "holdfast/evidence";

/** How far the delivery of a mail has come, which decides what a failure means. */
export interface SmtpProgress {
  /** Whether the server may have seen the first byte of the message. */
  dataBegun: boolean;
}

/**
 * What a failed delivery proves. Before the message was begun nothing was sent, whatever went wrong, which nodemailer's errors do not say.
 * After that `smtp` decides.
 */
export function classifyMail(progress: Readonly<SmtpProgress>): Classify {
  return (error, seen) => {
    const verdict = smtp(error, seen);
    const isNotDone = verdict !== undefined && verdict !== "unknown";
    return progress.dataBegun || isNotDone ? verdict : "not-done";
  };
}

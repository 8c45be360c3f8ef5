import { NotDoneError } from "holdfast";

/** How far the delivery of a mail has come, which decides what a failure means. */
export interface SmtpProgress {
  /** Whether the server may have seen the first byte of the message. */
  dataBegun: boolean;
}

const BAD_SEQUENCE = 503;

/**
 * Says of a delivery that failed before its message was begun that nothing was sent, whatever went wrong, which nodemailer's errors do not say.
 * After that the classifier `smtp` decides.
 *
 * @throws NotDoneError with what nodemailer threw as its cause; for good if the server answered 5xx
 */
export async function unlessBegun<T>(progress: Readonly<SmtpProgress>, delivery: Promise<T>): Promise<T> {
  try {
    return await delivery;
  } catch (cause) {
    if (progress.dataBegun) throw cause;
    throw new NotDoneError(cause instanceof Error ? cause.message : String(cause), {
      permanent: isForGood(cause),
      cause,
    });
  }
}

function isForGood(error: unknown): boolean {
  const { responseCode }: { readonly responseCode?: unknown } = Object(error);
  return typeof responseCode === "number" && responseCode >= 500 && responseCode !== BAD_SEQUENCE;
}

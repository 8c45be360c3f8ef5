import { Readable } from "node:stream";
import { HoldfastError, readEnv } from "holdfast";
import { createTransport, type Transporter } from "nodemailer";
import { env } from "./env.ts";
import type { SmtpProgress } from "./smtp-errors.ts";

/** One mail to one person, without further recipients, headers or attachments. */
export interface MailMessage {
  readonly messageId: string;
  readonly to: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Mailer {
  /**
   * Sends a mail. Resolves once the mail server has accepted it.
   *
   * An aborted signal closes the connection; the server may or may not have accepted the mail.
   *
   * @param progress is updated during delivery, also if it fails
   * @throws what nodemailer throws; `unlessBegun` and the classifier `smtp` say what it proves
   */
  send(message: MailMessage, signal: AbortSignal, progress?: SmtpProgress): Promise<{ messageId: string }>;
}

const timeouts = {
  dnsTimeout: 5_000,
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  socketTimeout: 10_000,
};

/**
 * A mailer with one connection per mail, so that a failing connection affects one mail only.
 *
 * @param smtpUrl `smtp://` or `smtps://`, with user and password if the server needs them
 * @param from the sender of every mail, e.g. `Holdfast <holdfast@localhost>`
 */
export function createMailer(smtpUrl: string, from: string): Mailer {
  return {
    async send(message, signal, progress = { dataBegun: false }) {
      const transport = createTransport({
        url: smtpUrl,
        ...timeouts,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      noteDataBegun(transport, progress, signal);
      const { messageId } = await transport.sendMail({ ...message, from, signal });
      return { messageId };
    },
  };
}

/**
 * Records when the message is begun, in a stream between the message and the connection.
 *
 * nodemailer reads the stream once the server has answered DATA with 354, and what was never read cannot have been sent. If
 * a version reads ahead, we doubt too often, never too rarely. nodemailer's errors do not say it (see `smtp-errors.ts`), and
 * the socket is encrypted.
 */
function noteDataBegun(transport: Transporter, progress: SmtpProgress, signal: AbortSignal): void {
  async function* noted(content: Readable): AsyncGenerator<Buffer> {
    // After an abort nothing may begin.
    signal.throwIfAborted();
    progress.dataBegun = true;
    yield* content;
  }
  transport.use("stream", ({ message }, next) => {
    message.processFunc((content) => Readable.from(noted(content), { objectMode: false }));
    next();
  });
}

/** The environment's mailer. Reads the environment when a mail is sent. */
export const mailer: Mailer = {
  async send(message, signal, progress) {
    return mailerFromEnvironment().send(message, signal, progress);
  },
};

function mailerFromEnvironment(): Mailer {
  const { SMTP_URL } = process.env;
  if (!SMTP_URL) throw new HoldfastError("CONFIG_INVALID", "SMTP_URL: expected a mail server, got nothing");
  return createMailer(SMTP_URL, readEnv(env).MAIL_FROM);
}

import { Readable } from "node:stream";
import { HoldfastError } from "holdfast";
import { createTransport, type Transporter } from "nodemailer";
import { type SmtpProgress, smtpFailure } from "./smtp-errors.ts";

/** One mail to one person. It has no room for further recipients, headers or attachments. */
export interface MailMessage {
  readonly messageId: string;
  readonly to: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Mailer {
  /**
   * Hands a mail to the mail server, and resolves once the server has taken responsibility for it.
   *
   * An aborted signal closes the connection. Whether the server took the mail before is then unknown.
   *
   * @param progress is told how far the delivery has come, also when it fails
   * @throws PermanentError when the server refuses with 5xx; for all else what nodemailer throws
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
 * A mailer with one connection per mail: what happens to one connection can never touch another's mail.
 *
 * @param smtpUrl `smtp://` or `smtps://`, with user and password where the server wants them
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
      try {
        const { messageId } = await transport.sendMail({ ...message, from, signal });
        return { messageId };
      } catch (error) {
        throw smtpFailure(error);
      }
    },
  };
}

/**
 * Notes when a message is begun, at the one place that cannot miss it: a stream between the message and the connection.
 * It produces nothing before it is read, nodemailer reads it once the server has answered DATA with 354, and what was
 * never read cannot have been sent. A version that reads ahead would only make us doubt too much, never too little.
 *
 * Logs and errors of nodemailer were no help: see `smtp-errors.ts`. Watching the socket would not see through TLS.
 */
function noteDataBegun(transport: Transporter, progress: SmtpProgress, signal: AbortSignal): void {
  async function* noted(content: Readable): AsyncGenerator<Buffer> {
    // Who was told of an abort may take it that from then on nothing is begun.
    signal.throwIfAborted();
    progress.dataBegun = true;
    yield* content;
  }
  transport.use("stream", ({ message }, next) => {
    message.processFunc((content) => Readable.from(noted(content), { objectMode: false }));
    next();
  });
}

/** The mailer that the environment describes, looked up when a mail is sent. */
export const mailer: Mailer = {
  async send(message, signal, progress) {
    return mailerFromEnvironment().send(message, signal, progress);
  },
};

function mailerFromEnvironment(): Mailer {
  const { SMTP_URL, HOLDFAST_MAIL_FROM } = process.env;
  if (!SMTP_URL)
    throw new HoldfastError("CONFIG_INVALID", "SMTP_URL: expected a mail server to send with, found none");
  return createMailer(SMTP_URL, HOLDFAST_MAIL_FROM || "Holdfast <holdfast@localhost>");
}

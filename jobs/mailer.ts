import { HoldfastError } from "holdfast";
import { createTransport } from "nodemailer";

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
   */
  send(message: MailMessage, signal: AbortSignal): Promise<{ messageId: string }>;
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
  const transport = createTransport({
    url: smtpUrl,
    ...timeouts,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(message, signal) {
      const { messageId } = await transport.sendMail({ ...message, from, signal });
      return { messageId };
    },
  };
}

/** The mailer that the environment describes, looked up when a mail is sent. */
export const mailer: Mailer = {
  async send(message, signal) {
    return mailerFromEnvironment().send(message, signal);
  },
};

function mailerFromEnvironment(): Mailer {
  const { SMTP_URL, HOLDFAST_MAIL_FROM } = process.env;
  if (!SMTP_URL)
    throw new HoldfastError("CONFIG_INVALID", "SMTP_URL: expected a mail server to send with, found none");
  return createMailer(SMTP_URL, HOLDFAST_MAIL_FROM || "Holdfast <holdfast@localhost>");
}

import { escapeHtml, htmlPage, messageIdFor, oneLine, plainText } from "../mail-text.ts";
import type { MailMessage } from "../mailer.ts";

interface WelcomeEmail {
  readonly email: string;
  readonly name: string;
  readonly message: string;
}

/**
 * Writes the mail. Equal arguments give an equal mail, Message-ID included.
 *
 * @param seed identifies this mail, e.g. its effect's key: every sending has the same Message-ID
 */
export function composeWelcomeEmail({ email, name, message }: WelcomeEmail, seed: string): MailMessage {
  const recipient = oneLine(name);
  const greeting = `Welcome, ${recipient || email}`;
  const body = plainText(message);
  return {
    messageId: messageIdFrom(seed),
    to: { name: recipient, address: email },
    subject: greeting,
    text: `${greeting}\n\n${body}\n`,
    html: htmlPage(greeting, paragraph(body)),
  };
}

/** The Message-ID of the mail that `composeWelcomeEmail` writes from the same seed. */
export function messageIdFrom(seed: string): string {
  return messageIdFor("welcome-email", seed);
}

function paragraph(body: string): string {
  return `<p dir="auto" style="margin: 0;">${escapeHtml(body).replaceAll("\n", "<br>\n")}</p>`;
}

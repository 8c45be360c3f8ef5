import { type Running, stopAll, stopOnce } from "../lib/running.ts";
import type { Logger } from "../telemetry/logger.ts";
import { openMailDirectory } from "./mail-directory.ts";
import { startPageServer } from "./page-server.ts";
import { startSmtpListener } from "./smtp-listener.ts";

export interface MailboxOptions {
  /** Where the `.eml` files go; made where it is missing. */
  readonly directory: string;
  /** The port to take mail on. 0, or one that is taken already: any free one. */
  readonly smtpPort: number;
  /** The port to show mail on. 0, or one that is taken already: any free one. */
  readonly pagePort: number;
  /** Which Host headers the pages are shown to besides loopback names. @default none */
  readonly allowedHosts?: ReadonlySet<string>;
  readonly log?: Pick<Logger, "debug" | "info" | "warn"> | undefined;
}

export interface Mailbox extends Running {
  /** What to put into `SMTP_URL`. */
  readonly smtpUrl: string;
  /** Where a browser on this machine sees the mails. */
  readonly pageUrl: string;
}

/**
 * Starts the development mailbox: a mail server that keeps every message as a file and delivers none.
 *
 * A message is answered 250 only once its file is safe on disk. Both ports listen on 127.0.0.1 alone.
 *
 * @throws HoldfastError `START_FAILED` when it cannot listen
 */
export async function startMailbox(options: MailboxOptions): Promise<Mailbox> {
  const { directory, smtpPort, pagePort, allowedHosts = new Set(), log } = options;
  const mails = await openMailDirectory(directory);
  const smtp = await startSmtpListener({ mails, port: smtpPort, log });
  try {
    const pages = await startPageServer({ mails, port: pagePort, allowedHosts, log });
    return { smtpUrl: smtp.url, pageUrl: pages.url, stop: stopOnce(() => stopAll([pages, smtp])) };
  } catch (error) {
    await smtp.stop();
    throw error;
  }
}

import type { Logger } from "../../src/platform/lib/logger.ts";
import { orStop, type Running, stopAll, stopOnce } from "../../src/platform/lib/running.ts";
import { openMailDirectory } from "./mail-directory.ts";
import { startPageServer } from "./page-server.ts";
import { startSmtpListener } from "./smtp-listener.ts";

export interface MailboxOptions {
  /** Where the `.eml` files go; created if missing. */
  readonly directory: string;
  /** The port to receive mail on. If it is 0 or in use: any free port. */
  readonly smtpPort: number;
  /** The port to show mail on. If it is 0 or in use: any free port. */
  readonly pagePort: number;
  /** Host headers that the pages accept besides loopback names. @default none */
  readonly allowedHosts?: ReadonlySet<string>;
  readonly log?: Pick<Logger, "debug" | "info" | "warn"> | undefined;
}

export interface Mailbox extends Running {
  readonly smtpUrl: string;
  /** For a browser on this machine. */
  readonly pageUrl: string;
}

/**
 * Starts the development mailbox: a mail server that stores every message as a file and delivers none.
 *
 * @throws HoldfastError `START_FAILED` if it cannot listen
 */
export async function startMailbox(options: MailboxOptions): Promise<Mailbox> {
  const { directory, smtpPort, pagePort, allowedHosts = new Set(), log } = options;
  const mails = await openMailDirectory(directory);
  const smtp = await startSmtpListener({ mails, port: smtpPort, log });
  const pages = await orStop(smtp, startPageServer({ mails, port: pagePort, allowedHosts, log }));
  return { smtpUrl: smtp.url, pageUrl: pages.url, stop: stopOnce(() => stopAll([pages, smtp])) };
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { openProcessLog } from "../../src/edges/cli/system/process-log.ts";
import { readSettings } from "../../src/platform/config/settings.ts";
import { startMailbox } from "./start-mailbox.ts";

/**
 * Starts the mailbox in this process and sets `SMTP_URL` for the processes it starts, unless the environment or `.env` names a mail
 * server. Preferred ports: 1025 for mail, 8025 for its pages.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `START_FAILED`
 */
export async function useMailbox(): Promise<void> {
  const file = existsSync(".env") ? parseEnv(readFileSync(".env", "utf8")) : {};
  const settings = readSettings({ ...file, ...process.env }, "bare-too");
  if (settings.SMTP_URL !== undefined) return;
  const directory = join(settings.HOLDFAST_DATA_DIR, "mailbox");
  const { smtpUrl, pageUrl } = await startMailbox({
    directory,
    smtpPort: 1025,
    pagePort: 8025,
    allowedHosts: settings.HOLDFAST_ALLOWED_HOSTS,
    log: await openProcessLog(settings.HOLDFAST_LOG_LEVEL, "mailbox"),
  });
  // Whoever sends mail passes over the fragment; `up` prints it.
  process.env.SMTP_URL = `${smtpUrl}#${pageUrl}`;
  process.stdout.write(`Mailbox: ${pageUrl}  (development mail, files in ${directory})\n`);
}

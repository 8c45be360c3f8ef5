import { readRoleSettings, type Settings } from "../config/settings.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopAll } from "../lib/running.ts";
import type { Logger } from "../telemetry/logger.ts";
import { apiChild, laterMetricsPort, mailboxChild, roleChild, storeChild } from "./children.ts";
import { claimDataDirectory } from "./data-directory.ts";
import { endOnFault } from "./end-on-fault.ts";
import { firstScreen } from "./first-screen.ts";
import { loadApplication } from "./load-application.ts";
import { openProcessLog } from "./process-log.ts";
import { supervise } from "./supervisor.ts";
import { untilStopRequested } from "./until-signal.ts";

/** Runs everything on this machine until the process is asked to end. */
export async function runUp(): Promise<void> {
  const settings = readRoleSettings();
  let isStopping = false;
  const stopRequested = untilStopRequested().then(() => {
    isStopping = true;
  });
  const log = await openProcessLog(settings.HOLDFAST_LOG_LEVEL, "up");
  endOnFault(log);
  // Loaded only to report errors in it once, before any child starts.
  await loadApplication(settings.HOLDFAST_CONFIG);
  const parts: Running[] = [];
  try {
    const screen = await startParts(settings, parts, log);
    if (!isStopping) process.stdout.write(screen);
    await stopRequested;
    process.stdout.write("\nStopping…\n");
  } catch (error) {
    // Some supervisors signal the whole group: then a child that ended did not fail.
    if (!isStopping) throw error;
  } finally {
    await stopAll(parts);
  }
  process.stdout.write("Stopped. Accepted jobs are kept.\n");
}

/** Starts each part once those that it needs are ready, and adds it to `parts` at once, so that a failure stops all. */
async function startParts(settings: Settings, parts: Running[], log: Logger): Promise<string> {
  const start = async <Ready>(spec: Parameters<typeof supervise<Ready>>[0]): Promise<Ready> => {
    const child = await supervise(spec, log);
    parts.push(child);
    return child.ready;
  };
  parts.push(claimDataDirectory(settings.HOLDFAST_DATA_DIR));
  if (settings.REDIS_URL === undefined) await start(await storeChild(settings.HOLDFAST_DATA_DIR));
  const mailbox = settings.SMTP_URL === undefined ? await start(mailboxChild()) : undefined;
  const smtp = mailbox === undefined ? {} : { SMTP_URL: mailbox.smtpUrl };
  const started = await Promise.allSettled([
    start(apiChild(laterMetricsPort(settings.HOLDFAST_METRICS_PORT, 2))),
    start(roleChild("worker", smtp, settings.HOLDFAST_STOP_GRACE_MS)),
    start(
      roleChild(
        "scheduler",
        { ...smtp, ...laterMetricsPort(settings.HOLDFAST_METRICS_PORT, 1) },
        settings.HOLDFAST_STOP_GRACE_MS,
      ),
    ),
  ]);
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const [api] = started;
  if (api.status === "rejected") throw new HoldfastError("START_FAILED", "The API did not start");
  return firstScreen({ settings, apiUrl: api.value.url, mailboxUrl: mailbox?.pageUrl });
}

import { join } from "node:path";
import type { Command } from "commander";
import type { Application } from "../../../core/job/define-config.ts";
import { endOnBlockedLoop } from "../../../core/run/loop-watch.ts";
import {
  type Environment,
  readRoleSettings,
  readSettings,
  roleEnvironment,
} from "../../../platform/config/settings.ts";
import type { Logger, WithLogger } from "../../../platform/lib/logger.ts";
import { type Running, stopAll } from "../../../platform/lib/running.ts";
import { loadApplication } from "../load-application.ts";
import { setUpCollector } from "../system/collector.ts";
import { endOnFault } from "../system/end-on-fault.ts";
import { openProcessLog } from "../system/process-log.ts";
import { notifyReady } from "../system/supervisor.ts";
import { untilStopRequested } from "../system/until-signal.ts";

/** The roles, each in its own process. Their code is loaded when they run, so that other commands start quickly. */
export function addRoleCommands(program: Command): void {
  program
    .command("api")
    .description("run the HTTP API alone")
    .action(() => runRole("api", loadApi));
  program
    .command("worker")
    .description("run a worker alone; start as many as you like, anywhere")
    .option("--queues <names>", "only the jobs of these queues, comma-separated")
    .option("--except <names>", "not the jobs of these queues, comma-separated")
    .action(({ queues, except }: { queues?: string; except?: string }) =>
      runRole("worker", async () => {
        const { startWorker } = await import("../../../desk/start-worker.ts");
        const chosen = { queues: queues?.split(","), except: except?.split(",") };
        return (application, env, options) => startWorker(application, env, { ...options, ...chosen });
      }),
    );
  program
    .command("scheduler")
    .description("run a scheduler alone; several do no harm")
    .action(() =>
      runRole("scheduler", async () => (await import("../../../desk/start-scheduler.ts")).startScheduler),
    );
  program
    .command("mailbox")
    .description("run the development mailbox alone: a mail server that keeps every mail as a file")
    .option("--smtp-port <port>", "where it receives mail; another port if this one is in use", "1025")
    .option("--page-port <port>", "where its page is; another port if this one is in use", "8025")
    .action((options: { smtpPort: string; pagePort: string }) =>
      runUntilStopped("mailbox", async (log) => [
        await openMailbox(Number(options.smtpPort), Number(options.pagePort), log),
      ]),
    );
}

type StartRole = (application: Application, env: Environment, options: WithLogger) => Promise<Running>;

/** @param load runs before the application is loaded: afterwards every module passes through tsx, and takes twice as long */
function runRole(role: string, load: () => Promise<StartRole>): Promise<void> {
  return runUntilStopped(role, async (logger) => {
    const start = await load();
    const application = await loadApplication(readSettings().HOLDFAST_CONFIG);
    return [await start(application, roleEnvironment(), { logger })];
  });
}

/**
 * Runs parts until this process is asked to end, or a part fails.
 *
 * @param role the process's name in its log
 */
async function runUntilStopped(role: string, start: (log: Logger) => Promise<Running[]>): Promise<void> {
  // First, so that a signal during the start counts too.
  const stopRequested = untilStopRequested();
  const { HOLDFAST_LOG_LEVEL: level, HOLDFAST_LOCK_MS } = readRoleSettings();
  const log = await openProcessLog(level, role);
  endOnFault(log);
  const parts = await start(log);
  // Only now: loading code can block the loop for longer than a short lock.
  endOnBlockedLoop({ role, silentMs: HOLDFAST_LOCK_MS });
  notifyReady(Object.assign({}, ...parts));
  try {
    await Promise.race([stopRequested, ...parts.flatMap(({ failed }) => failed ?? [])]);
  } finally {
    await stopAll(parts);
  }
}

async function loadApi(): Promise<StartRole> {
  setUpCollector();
  return (await import("../../http/start-api.ts")).startApi;
}

async function openMailbox(smtpPort: number, pagePort: number, log: Logger) {
  const { startMailbox } = await import("../mailbox/start-mailbox.ts");
  const settings = readSettings();
  return await startMailbox({
    directory: join(settings.HOLDFAST_DATA_DIR, "mailbox"),
    smtpPort,
    pagePort,
    allowedHosts: settings.HOLDFAST_ALLOWED_HOSTS,
    log,
  });
}

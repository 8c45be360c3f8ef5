import type { Command } from "commander";
import type { Application } from "../../../core/job/application.ts";
import { endOnBlockedLoop } from "../../../core/watch/loop-watch.ts";
import { type Environment, readRoleSettings, roleEnvironment } from "../../../platform/config/settings.ts";
import type { WithLogger } from "../../../platform/lib/logger.ts";
import type { Running } from "../../../platform/lib/running.ts";
import { loadApplication } from "../load-application.ts";
import { tuneForServing } from "../system/collector.ts";
import { endOnFault, openProcessLog } from "../system/process-log.ts";
import { untilStopRequested } from "../system/signals.ts";
import { notifyReady } from "../system/supervisor.ts";

/** Everything on this machine. Its code is loaded when it runs, so that other commands start quickly. */
export function addSystemCommands(program: Command): void {
  program
    .command("up")
    .description("run everything on this machine: API, worker and scheduler, each in its own process")
    .addHelpText("after", "\nWithout REDIS_URL it also runs an embedded Redis.")
    .action(async () => await (await import("../system/run-up.ts")).runUp());
  program
    .command("dev")
    .description("run everything on this machine, and load the application anew after each change")
    .addHelpText("after", "\nLike holdfast up: without REDIS_URL it also runs an embedded Redis.")
    .action(async () => await (await import("../system/run-dev.ts")).runDev());
  program
    .command("check-application", { hidden: true })
    .action(async () => await (await import("../system/check-application.ts")).checkApplication());
}

/** The roles, each in its own process. Their code is loaded when they run, so that other commands start quickly. */
export function addRoleCommands(program: Command): void {
  program
    .command("api")
    .description("run the HTTP API alone")
    .action(() => runRole("api", async () => (await import("../../http/start-api.ts")).startApi));
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
    .command("relay")
    .description("submit the rows of the outbox in PostgreSQL; start as many as you like, anywhere")
    .action(() => runRole("relay", async () => (await import("../../../desk/start-relay.ts")).startRelay));
}

type StartRole = (application: Application, env: Environment, options: WithLogger) => Promise<Running>;

/**
 * Runs a role until this process is asked to end, or the role fails.
 *
 * @param load runs before the application is loaded: afterwards every module passes through tsx, and takes twice as long
 */
async function runRole(role: string, load: () => Promise<StartRole>): Promise<void> {
  // First, so that a signal during the start counts too.
  const stopRequested = untilStopRequested();
  const { HOLDFAST_CONFIG, HOLDFAST_LOG_LEVEL, HOLDFAST_LOCK_MS } = readRoleSettings();
  const logger = await openProcessLog(HOLDFAST_LOG_LEVEL, role);
  endOnFault(logger);
  const start = await load();
  const application = await loadApplication(HOLDFAST_CONFIG);
  const running = await start(application, roleEnvironment(), { logger });
  // Only now: loading code can block the loop for longer than a short lock.
  endOnBlockedLoop({ role, silentMs: HOLDFAST_LOCK_MS });
  if (role === "api") tuneForServing();
  notifyReady(running);
  try {
    await (running.failed ? Promise.race([stopRequested, running.failed]) : stopRequested);
  } finally {
    await running.stop();
  }
}

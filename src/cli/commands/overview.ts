import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { Overview } from "../../operate/overview.ts";
import type { OverviewReader } from "../../operate/read-overview.ts";
import { withApplication } from "../connections.ts";
import { print, printError, printJson } from "../output.ts";
import { describeOverview } from "../overview-text.ts";
import { redraw } from "../redraw.ts";
import { untilStopRequested } from "../until-signal.ts";

interface OverviewOptions {
  readonly watch?: true;
  readonly json?: true;
}

const WATCH_EVERY_MS = 2_000;

/** `holdfast overview`: what is going on. */
export function addOverviewCommand(program: Command): void {
  program
    .command("overview")
    .description("show what is going on: types, queues and workers, and what failed in the last hour")
    .option("--watch", "show it again every two seconds, until Ctrl-C")
    .option("--json", "print the overview as JSON, one line for each")
    .action(overview);
}

async function overview({ watch, json }: OverviewOptions): Promise<void> {
  const { openOverviewReader } = await import("../../operate/read-overview.ts");
  const { openQueueStores } = await import("../../queue/queue-store.ts");
  const { readLayouts } = await import("../../queue/layouts.ts");
  await withApplication(async (application, redis, settings) => {
    const { HOLDFAST_PREFIX: prefix } = settings;
    const layouts = await readLayouts(redis.client, prefix, application.queues);
    const reader = openOverviewReader({
      stores: openQueueStores(redis, prefix, layouts),
      application,
      expectations: settings,
      clock: { offsetMs: () => 0 },
    });
    if (watch) await showAgain(reader, json);
    else await show(reader, json);
  });
}

async function show(reader: OverviewReader, json?: true): Promise<void> {
  const found = await reader.read();
  if (json) printJson(found);
  else print(textOf(found));
}

/** Goes on while Redis is away. */
async function showAgain(reader: OverviewReader, json?: true): Promise<void> {
  let isStopped = false;
  const stopped = untilStopRequested().then(() => {
    isStopped = true;
  });
  while (!isStopped) {
    await reader.read().then(
      (found) => (json ? printJson(found) : redraw(textOf(found))),
      (error: unknown) => showTrouble(error),
    );
    await Promise.race([stopped, sleep(WATCH_EVERY_MS)]);
  }
}

function showTrouble(error: unknown): void {
  if (!(error instanceof HoldfastError && error.code === "STORE_UNAVAILABLE")) throw error;
  printError(error.message);
}

function textOf(overview: Overview): string {
  return describeOverview(overview, process.stdout.columns ?? Number.POSITIVE_INFINITY);
}

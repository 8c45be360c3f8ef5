import { relative } from "node:path";
import { readRoleSettings, type Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { type Running, stopAll } from "../../../platform/lib/running.ts";
import { messageOf } from "../../../platform/lib/thrown.ts";
import { loadApplication } from "../load-application.ts";
import { firstScreen, type WhatRuns } from "../screen/first-screen.ts";
import { print, printError } from "../screen/output.ts";
import { checkInProcess } from "./check-application.ts";
import { type LocalSystem, startLocalSystem } from "./local-system.ts";
import { endOnFault, openProcessLog } from "./process-log.ts";
import { untilStopRequested } from "./signals.ts";
import { watchApplication } from "./watch-files.ts";

/** Runs everything on this machine, and restarts the roles after each change of the application, until the process is asked to end. */
export async function runDev(): Promise<void> {
  const settings = readRoleSettings();
  const stopRequested = untilStopRequested().then(() => undefined);
  const log = await openProcessLog(settings.HOLDFAST_LOG_LEVEL, "dev");
  endOnFault(log);
  const parts: Parts = { base: [], roles: [] };
  try {
    const system = await startLocalSystem(settings, parts.base, log);
    await develop(settings, system, parts.roles, stopRequested);
    process.stdout.write("\nStopping…\n");
  } finally {
    await stopAll(parts.roles);
    await stopAll(parts.base);
  }
  process.stdout.write("Stopped. Accepted jobs are kept.\n");
}

interface Parts {
  readonly base: Running[];
  /** Stopped first: they need the store. */
  readonly roles: Running[];
}

async function develop(
  settings: Settings,
  system: LocalSystem,
  roles: Running[],
  stopRequested: Promise<undefined>,
): Promise<void> {
  const watch = await watchApplication(settings.HOLDFAST_CONFIG);
  let changed: string | undefined = settings.HOLDFAST_CONFIG;
  while (changed !== undefined) {
    const checked = await checkInProcess();
    watch.add(checked.files);
    if (checked.fault === undefined) await reload(settings, system, roles, changed);
    else printError(`\n✗ ${checked.fault}\n\n${whatRuns(roles)} Waiting for a change.`);
    changed = await Promise.race([stopRequested, watch.nextChange()]);
  }
  await watch.close();
}

/** A failure to start is printed, and waits for a change like a fault of the application. */
async function reload(
  settings: Settings,
  system: LocalSystem,
  roles: Running[],
  changed: string,
): Promise<void> {
  const isFirst = roles.length === 0;
  const begunAt = performance.now();
  await stopAll(roles.splice(0));
  try {
    const apiUrl = await system.startRoles(roles);
    const seconds = ((performance.now() - begunAt) / 1_000).toFixed(1);
    if (isFirst) await printScreen(settings, { apiUrl, hasRelay: system.hasRelay });
    else print(`Reloaded in ${seconds} s: ${relative(".", changed)} changed`);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await stopAll(roles.splice(0));
    printError(`\n✗ ${messageOf(error)}\n\n${whatRuns(roles)} Waiting for a change.`);
  }
}

async function printScreen(settings: Settings, what: WhatRuns): Promise<void> {
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  process.stdout.write(firstScreen(settings, application, what));
  print("  Change a file of your application, and it is loaded anew.\n");
}

function whatRuns(roles: readonly Running[]): string {
  return roles.length === 0 ? "Nothing runs yet." : "The version before this change keeps running.";
}

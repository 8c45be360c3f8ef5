import { readRoleSettings } from "../../../platform/config/settings.ts";
import { type Running, stopAll } from "../../../platform/lib/running.ts";
import { loadApplication } from "../load-application.ts";
import { firstScreen } from "../screen/first-screen.ts";
import { checkVariables } from "./check-application.ts";
import { startLocalSystem } from "./local-system.ts";
import { endOnFault, openProcessLog } from "./process-log.ts";
import { untilStopRequested } from "./signals.ts";

/** Runs everything on this machine until the process is asked to end. */
export async function runUp(): Promise<void> {
  const settings = readRoleSettings();
  let isStopping = false;
  const stopRequested = untilStopRequested().then(() => {
    isStopping = true;
  });
  const log = await openProcessLog(settings.HOLDFAST_LOG_LEVEL, "up");
  endOnFault(log);
  // Loaded and checked to report errors once, before any child starts.
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  checkVariables(application);
  const parts: Running[] = [];
  try {
    const { startRoles, hasRelay } = await startLocalSystem(settings, parts, log);
    const apiUrl = await startRoles(parts);
    if (!isStopping) process.stdout.write(firstScreen(settings, application, { apiUrl, hasRelay }));
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

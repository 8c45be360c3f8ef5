import type { Logger } from "../../../platform/lib/logger.ts";
import { placeOf } from "../../../platform/lib/thrown.ts";

/**
 * Ends this process on an uncaught exception or unhandled rejection. Nobody knows what it left half done; its jobs stall and
 * run again elsewhere.
 *
 * The log has the fault's name, code and place, but not its text, which may hold personal data.
 *
 * Only for processes of our own, never when embedded.
 */
export function endOnFault(log: Logger): void {
  process.on("uncaughtException", (fault: unknown, origin) => {
    log.fatal({ origin, ...placeOf(fault) }, "unhandled fault; the process ends");
    process.exit(1);
  });
}

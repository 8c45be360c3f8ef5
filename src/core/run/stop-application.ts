import { withDeadline } from "../../platform/lib/deadline.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { foreign, placeOf } from "../../platform/lib/thrown.ts";
import type { Application } from "../job/define-config.ts";

const STOP_MS = 5_000;

/** Calls the application's `onStop`. What it throws is logged, and changes nothing. */
export async function stopApplication({ onStop }: Application, log: Logger): Promise<void> {
  if (onStop === undefined) return;
  const stopped = foreign(async () => onStop()).catch((error: unknown) =>
    log.error({ hook: "onStop", ...placeOf(error) }, "onStop threw; going on"),
  );
  await withDeadline(stopped, STOP_MS, () => new Error("late")).catch(() =>
    log.error({ afterMs: STOP_MS }, "a hook has not ended in time; stopping without it"),
  );
}

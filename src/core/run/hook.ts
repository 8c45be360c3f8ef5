import { withDeadline } from "../../platform/lib/deadline.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { foreign, placeOf } from "../../platform/lib/thrown.ts";

const HOOK_MS = 5_000;

/** Calls a function of the application. What it throws is logged, and changes nothing. */
export async function callHook(hook: string, run: () => void | Promise<void>, log: Logger): Promise<void> {
  await foreign(async () => run()).catch((error: unknown) =>
    log.error({ hook, ...placeOf(error) }, `${hook} threw; going on`),
  );
}

/** Waits for hooks, but not for one that does not end. */
export async function untilHooksEnd(ended: Promise<unknown>, log: Logger): Promise<void> {
  await withDeadline(ended, HOOK_MS, () => new Error("late")).catch(() =>
    log.error({ afterMs: HOOK_MS }, "a hook has not ended in time; stopping without it"),
  );
}

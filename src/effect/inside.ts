import { asError } from "../lib/thrown.ts";

type Wrapper = <T>(run: () => Promise<T>) => Promise<T>;

/** Kept, because naming a function is slow (row `work-effect`). */
const wrappers = new Map<string, Wrapper>();
const WRAPPERS_MAX = 1_000;

/** Runs foreign code, as `foreign` does, under a name by which `isInside` finds it. */
export function runAs<T>(name: string, run: () => Promise<T>): Promise<T> {
  const wrapper = wrappers.get(name) ?? wrapperNamed(name);
  return wrapper(run);
}

function wrapperNamed(name: string): Wrapper {
  const wrapper: Wrapper = async (run) => {
    try {
      return await run();
    } catch (thrown) {
      throw asError(thrown);
    }
  };
  Object.defineProperty(wrapper, "name", { value: name });
  if (wrappers.size < WRAPPERS_MAX) wrappers.set(name, wrapper);
  return wrapper;
}

/**
 * Whether the code that calls this runs inside of a function of that name: V8 knows which async function awaits which. An
 * `AsyncLocalStorage` knows too, but slows every promise of the process on Node 20 to 22 (row `work-effect`).
 */
export function isInside(name: string): boolean {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = Number.POSITIVE_INFINITY;
    Error.prepareStackTrace = (_, sites) => sites.some((site) => site.getFunctionName() === name);
    return Boolean(new Error("where").stack);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

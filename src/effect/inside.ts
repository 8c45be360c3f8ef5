/** The same function, under a name by which `isInside` finds it. */
export function withName<In, Out>(
  name: string,
  run: (input: In) => Promise<Out>,
): (input: In) => Promise<Out> {
  return Object.defineProperty(async (input: In) => await run(input), "name", { value: name });
}

/**
 * Whether the code that calls this runs inside of a function of that name: V8 knows which async function awaits which. An
 * `AsyncLocalStorage` knows too, but makes every promise of a process dearer on Node 20 to 22 (row `work-effect`).
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

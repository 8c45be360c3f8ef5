/**
 * Resolves when this process is asked to end: SIGINT, SIGTERM, or the supervisor that started it is gone.
 *
 * Asking twice does not hurry it: `npm` and a terminal both deliver one Ctrl-C, and ending cleanly is bounded anyway.
 */
export function untilStopRequested(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
    if (process.connected) process.on("disconnect", () => resolve("supervisor gone"));
  });
}

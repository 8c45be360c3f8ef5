/**
 * Resolves when this process is asked to end by SIGTERM, SIGINT or SIGHUP, or when its supervisor is gone.
 *
 * A second signal changes nothing: one Ctrl-C can arrive twice, from `npm` and from the terminal.
 */
export function untilStopRequested(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, resolve);
    if (process.connected) process.on("disconnect", () => resolve("supervisor gone"));
    // It was started with a channel to a supervisor, which is gone already.
    else if (process.send !== undefined) resolve("supervisor gone");
  });
}

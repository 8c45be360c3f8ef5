import cluster from "node:cluster";

/**
 * Resolves when this process is asked to end: SIGINT, SIGTERM, or the supervisor that started it is gone.
 *
 * Asking twice does not hurry it: `npm` and a terminal both deliver one Ctrl-C, and ending cleanly is bounded anyway.
 */
export function untilStopRequested(): Promise<string> {
  return new Promise((resolve) => {
    process.on("SIGTERM", resolve);
    // A terminal tells every process of its group; one of several that share a port waits for the word of the first.
    for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, cluster.isWorker ? () => {} : resolve);
    if (process.connected) process.on("disconnect", () => resolve("supervisor gone"));
    // It had one, which was gone before this process could look.
    else if (process.send !== undefined) resolve("supervisor gone");
  });
}

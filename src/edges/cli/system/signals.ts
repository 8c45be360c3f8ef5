import { printError } from "../screen/output.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Resolves when this process is asked to end by SIGTERM, SIGINT or SIGHUP, or when its supervisor is gone.
 *
 * A second signal changes nothing: one Ctrl-C can arrive twice, from `npm` and from the terminal.
 */
export function untilStopRequested(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, resolve);
    if (process.connected) process.on("disconnect", () => resolve("supervisor gone"));
    // It was started with a channel to a supervisor, which is gone already.
    else if (process.send !== undefined) resolve("supervisor gone");
  });
}

/**
 * Does something that takes a while. On Ctrl-C a line says what becomes of it, and the process ends by the signal, as its shell expects.
 *
 * @param leave puts the terminal back as it was, and returns that line
 */
export async function interruptible<T>(work: () => Promise<T>, leave: () => string): Promise<T> {
  const stopListening = () => {
    for (const signal of signals) process.off(signal, end);
  };
  const end = (signal: NodeJS.Signals) => {
    printError(leave());
    stopListening();
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, end);
  try {
    return await work();
  } finally {
    stopListening();
  }
}

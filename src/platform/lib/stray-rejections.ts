import { type Running, stopOnce } from "./running.ts";

/** By error: says whose fault it is if nobody handles a promise that it has rejected. */
const owners = new WeakMap<object, () => string>();

/**
 * Makes somebody answer for an error if no code handles the promise that it rejects, instead of the process.
 *
 * @param blame called then; returns what was not waited for, for the log
 */
export function ifUnhandled(thrown: object, blame: () => string): void {
  owners.set(thrown, blame);
}

let watchers: readonly ((what: string) => void)[] = [];

/**
 * Listens for rejections that nobody handles, while somebody has errors to answer for. All others do what they would do without it.
 *
 * @param log gets what was not waited for
 */
export function watchUnhandled(log: (what: string) => void): Running {
  watchers = [...watchers, log];
  listen();
  return {
    stop: stopOnce(async () => {
      watchers = watchers.filter((other) => other !== log);
      listen();
    }),
  };
}

/** Listens once while somebody watches. */
function listen(): void {
  process.off("unhandledRejection", onUnhandled);
  if (watchers.length > 0) process.on("unhandledRejection", onUnhandled);
}

function onUnhandled(reason: unknown): void {
  const blame = typeof reason === "object" && reason !== null ? owners.get(reason) : undefined;
  if (blame !== undefined) watchers[0]?.(blame());
  else if (process.listenerCount("unhandledRejection") === 1) leaveToNode(reason);
}

/** Node.js itself knows what the process is to do with it: that depends on its options. */
function leaveToNode(reason: unknown): void {
  process.off("unhandledRejection", onUnhandled);
  void Promise.reject(reason);
  setImmediate(listen);
}

import fc from "fast-check";
import { afterAll, expect, vi } from "vitest";
import { scopeTests } from "./test-scope.ts";

scopeTests();
// Every run tries the same: a break that one run in ten draws would land in the nine others. `npm run fuzz` draws another each time.
fc.configureGlobal({ seed: 1 });

// Files share a process, so each must leave it as it was: environment, clock, signal handlers.
const before = stateOfProcess();

afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  expect(stateOfProcess(), "this file leaves its process changed for the next one").toEqual(before);
});

function stateOfProcess() {
  const { setTimeout, setInterval, setImmediate, fetch } = globalThis;
  const handled = ["uncaughtException", "unhandledRejection", "SIGTERM", "SIGINT", "SIGHUP"] as const;
  return {
    variables: { ...process.env },
    directory: process.cwd(),
    umask: process.umask(),
    functions: [setTimeout, setInterval, setImmediate, fetch, Date, Date.now, Math.random, performance.now],
    listeners: handled.map((name) => [name, process.listenerCount(name)]),
  };
}

import { afterAll, expect, vi } from "vitest";
import { until } from "./until.ts";

// Files share a process, so each must leave it as it was: environment, clock, signal handlers, and nothing that still runs.
const before = stateOfProcess();
const openBefore = openConnections();

afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  expect(stateOfProcess(), "this file leaves its process changed for the next one").toEqual(before);
  await until("the connections of this file are closed", () => openConnections() <= openBefore);
});

function openConnections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

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

import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { HoldfastError } from "../../src/platform/errors/holdfast-error.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";

function server() {
  const made = createServer();
  onTestFinished(() => new Promise<void>((resolve) => made.close(() => resolve())));
  return made;
}

it("listens on another port if the preferred one is in use", async () => {
  const inUse = await listenOnLoopback(server(), 0);

  const address = await listenOnLoopback(server(), Number(inUse.split(":")[1]));

  expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(address).not.toBe(inUse);
});

it("listens on the preferred port if it is free", async () => {
  const probe = createServer();
  const free = await listenOnLoopback(probe, 0);
  await new Promise((resolve) => probe.close(resolve));

  expect(await listenOnLoopback(server(), Number(free.split(":")[1]))).toBe(free);
});

it("reports START_FAILED if it can listen on neither", async () => {
  const running = server();
  await listenOnLoopback(running, 0);

  const failure = listenOnLoopback(running, 0);

  await expect(failure).rejects.toBeInstanceOf(HoldfastError);
  await expect(failure).rejects.toMatchObject({ code: "START_FAILED" });
});

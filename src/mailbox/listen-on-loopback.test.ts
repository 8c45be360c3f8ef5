import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";

function server() {
  const made = createServer();
  onTestFinished(() => new Promise<void>((resolve) => made.close(() => resolve())));
  return made;
}

it("takes another port where the preferred one is taken", async () => {
  const taken = await listenOnLoopback(server(), 0);

  const address = await listenOnLoopback(server(), Number(taken.split(":")[1]));

  expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(address).not.toBe(taken);
});

it("takes the preferred port where that is free", async () => {
  const probe = createServer();
  const free = await listenOnLoopback(probe, 0);
  await new Promise((resolve) => probe.close(resolve));

  expect(await listenOnLoopback(server(), Number(free.split(":")[1]))).toBe(free);
});

it("says that it could not start where it can listen nowhere", async () => {
  const running = server();
  await listenOnLoopback(running, 0);

  const failure = listenOnLoopback(running, 0);

  await expect(failure).rejects.toBeInstanceOf(HoldfastError);
  await expect(failure).rejects.toMatchObject({ code: "START_FAILED" });
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createLogger } from "../../../platform/telemetry/create-logger.ts";
import { type ChildSpec, readyMessage, supervise } from "./supervisor.ts";

const log = createLogger("silent", "test");

const answers = "process.send({ ready: { answer: 42 } }); setInterval(() => {}, 60_000);";
const ignoresSigterm = `process.on("SIGTERM", () => {}); ${answers}`;

/** A supervised Node process that runs `code`, and every child it has had so far. */
function childThatRuns(code: string, changes: Partial<ChildSpec<unknown>> = {}) {
  const children: ChildProcess[] = [];
  const start = () => {
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    children.push(child);
    return child;
  };
  onTestFinished(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const spec: ChildSpec<unknown> = {
    name: "child",
    start,
    whenReady: readyMessage,
    stopMs: 5_000,
    ...changes,
  };
  return { children, spec };
}

const hasEnded = (child: ChildProcess | undefined) => child?.exitCode !== null || child.signalCode !== null;

describe("a supervised child", () => {
  it("is returned once it is ready, with what it reported", async () => {
    const { spec } = childThatRuns(answers);

    const child = await supervise(spec, log);

    expect(child.ready).toEqual({ answer: 42 });
    await child.stop();
  });

  it("is restarted whenever it dies, but not once it was stopped", async () => {
    const { spec, children } = childThatRuns(answers);
    const child = await supervise(spec, log);

    children[0]?.kill("SIGKILL");
    await vi.waitFor(() => expect(children.length).toBe(2), { timeout: 30_000 });
    await once(children[1] as ChildProcess, "message");
    children[1]?.kill("SIGKILL");
    await vi.waitFor(() => expect(children.length).toBe(3), { timeout: 30_000 });
    await child.stop();

    expect(children.every(hasEnded)).toBe(true);
    expect(children.length).toBe(3);
  });

  it("is not restarted if it is stopped during the pause", async () => {
    const { spec, children } = childThatRuns(answers);
    const child = await supervise(spec, log);
    const death = once(children[0] as ChildProcess, "exit");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());

    children[0]?.kill("SIGKILL");
    await death;
    await child.stop();
    await vi.advanceTimersByTimeAsync(60_000);

    expect(children.length).toBe(1);
  });

  it("that ends before it is ready is not tried again", async () => {
    const { spec, children } = childThatRuns("process.exit(3)");

    await expect(supervise(spec, log)).rejects.toMatchObject({
      code: "START_FAILED",
      message: "child ended before it was ready (exit code 3)",
    });
    expect(children.length).toBe(1);
  });

  it("that never gets ready is not left running", async () => {
    const notReady = new TypeError("not ready");
    const { spec, children } = childThatRuns(answers, { whenReady: () => Promise.reject(notReady) });

    await expect(supervise(spec, log)).rejects.toBe(notReady);

    await vi.waitFor(() => expect(hasEnded(children[0])).toBe(true), { timeout: 30_000 });
  });

  it("is killed if it does not end in time, however often it is stopped", async () => {
    const { spec, children } = childThatRuns(ignoresSigterm, { stopMs: 50 });
    const child = await supervise(spec, log);

    await Promise.all([child.stop(), child.stop()]);

    expect(children[0]?.signalCode).toBe("SIGKILL");
  });
});

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import type { Logger } from "../telemetry/logger.ts";

/** A process to keep alive. */
export interface ChildSpec<Ready> {
  readonly name: string;
  start(): ChildProcess;
  /** Resolves when the child does its work; what it resolves to is kept as `ready`. */
  whenReady(child: ChildProcess): Promise<Ready>;
  /** Milliseconds it gets to end cleanly before it is killed. */
  readonly stopMs: number;
}

export interface Supervised<Ready> extends Running {
  readonly ready: Ready;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A child that lived this long starts over with the shortest pause. */
const STEADY_MS = 30_000;

/**
 * Starts a child process and starts it again whenever it dies, with growing pauses.
 *
 * @returns when the child is ready for the first time
 * @throws HoldfastError `START_FAILED` when it ends before that: what is wrong from the start is not tried again
 */
export async function supervise<Ready>(spec: ChildSpec<Ready>, log: Logger): Promise<Supervised<Ready>> {
  let child = spec.start();
  let isStopping = false;
  let pause: NodeJS.Timeout | undefined;

  const restartWhenDead = (startedAt: number, pauseMs: number) => {
    child.once("exit", (code, signal) => {
      if (isStopping) return;
      const nextMs = performance.now() - startedAt > STEADY_MS ? FIRST_PAUSE_MS : pauseMs;
      log.warn(
        { child: spec.name, code, signal, restartInMs: nextMs },
        `${spec.name} ended; starting it again`,
      );
      pause = setTimeout(() => {
        child = spec.start();
        restartWhenDead(performance.now(), Math.min(2 * nextMs, LONGEST_PAUSE_MS));
        spec.whenReady(child).then(
          () => log.info({ child: spec.name }, `${spec.name} is back`),
          () => {},
        );
      }, nextMs);
    });
  };

  const stop = stopOnce(async () => {
    isStopping = true;
    clearTimeout(pause);
    await endChild(child, spec.stopMs);
  });
  const ready = await Promise.race([spec.whenReady(child), rejectOnExit(child, spec.name)]).catch(
    async (error: unknown) => {
      await stop();
      throw error;
    },
  );
  restartWhenDead(performance.now(), FIRST_PAUSE_MS);
  return { ready, stop };
}

/** Tells the supervisor, if there is one, that this process does its work; with what it found out, e.g. its URL. */
export function notifyReady(ready: object): void {
  // One that is gone meanwhile is no fault of ours: this process hears of that, and ends.
  process.send?.({ ready }, undefined, undefined, () => {});
}

/** Waits for the message with which a role tells that it is ready; it may have asked for something before. */
export function readyMessage<Ready>(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve) => {
    const hear = (message: { readonly ready?: Ready }) => {
      if (message.ready === undefined) return;
      child.off("message", hear);
      resolve(message.ready);
    };
    child.on("message", hear);
  });
}

async function rejectOnExit(child: ChildProcess, name: string): Promise<never> {
  const [code, signal] = await once(child, "exit");
  throw new HoldfastError(
    "START_FAILED",
    `${name} ended before it was ready (${signal ?? `exit code ${code}`})`,
  );
}

async function endChild(child: ChildProcess, stopMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const late = () => new HoldfastError("WORKER_STOPPING", "The process did not end in time");
  await withDeadline(exited, stopMs, late).catch(async () => {
    child.kill("SIGKILL");
    await exited;
  });
}

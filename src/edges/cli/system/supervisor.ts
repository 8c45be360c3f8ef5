import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../../platform/lib/deadline.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { orStop, type Running, stopOnce } from "../../../platform/lib/running.ts";

export interface ChildSpec<Ready> {
  readonly name: string;
  start(): ChildProcess;
  /** Resolves once the child works, to what becomes `ready`. */
  whenReady(child: ChildProcess): Promise<Ready>;
  /** How long it gets to stop cleanly before it is killed, in milliseconds. */
  readonly stopMs: number;
}

export interface Supervised<Ready> extends Running {
  readonly ready: Ready;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** After this long a child counts as healthy: the next pause is the shortest again. */
const STEADY_MS = 30_000;

/**
 * Starts a child process, and restarts it whenever it dies, with growing pauses.
 *
 * @returns once the child is ready for the first time
 * @throws HoldfastError `START_FAILED` if it ends before that: a bad first start is not tried again
 */
export async function supervise<Ready>(spec: ChildSpec<Ready>, log: Logger): Promise<Supervised<Ready>> {
  let child = spec.start();
  let isStopping = false;
  let pause: NodeJS.Timeout | undefined;

  const restartWhenDead = (startedAt: number, pauseMs: number) => {
    child.once("exit", (code, signal) => {
      if (isStopping) return;
      const nextMs = performance.now() - startedAt > STEADY_MS ? FIRST_PAUSE_MS : pauseMs;
      log.warn({ child: spec.name, code, signal, restartInMs: nextMs }, `${spec.name} ended; restarting it`);
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
  const ready = await orStop({ stop }, Promise.race([spec.whenReady(child), rejectOnExit(child, spec.name)]));
  restartWhenDead(performance.now(), FIRST_PAUSE_MS);
  return { ready, stop };
}

/** Notifies the supervisor, if there is one, that this process is ready, e.g. with its URL. */
export function notifyReady(ready: object): void {
  // A missing supervisor is no error here: this process notices and ends.
  process.send?.({ ready }, undefined, undefined, () => {});
}

/** Waits for the message of `notifyReady`. Other messages may come first. */
export function readyMessage<Ready>(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve) => {
    const onMessage = (message: { readonly ready?: Ready }) => {
      if (message.ready === undefined) return;
      child.off("message", onMessage);
      resolve(message.ready);
    };
    child.on("message", onMessage);
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

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SweepAnswer, SweepOrder } from "./swept/orders.ts";

/** A process of a crash sweep, as its parent sees it. */
export interface SweepProcess {
  /** Has it run a job; resolves when its worker is ready, or when it has died. */
  run(order: SweepOrder): Promise<void>;
  /** Has it stop its worker: then its trace is complete. */
  rest(): Promise<void>;
  readonly hasEnded: boolean;
  /** Ends it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** From the build, also where this file is run from its source. */
const SCRIPT = fileURLToPath(new URL("../../dist/testing/swept/worker.js", import.meta.url));

/**
 * Starts one, and lets it load the application.
 *
 * @param application a path
 */
export function startSweepProcess(application: string, env: NodeJS.ProcessEnv): SweepProcess {
  const child = fork(SCRIPT, [application], {
    env,
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const errors: string[] = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // An order to a process that has just been killed.
  child.on("error", () => {});
  const loaded = answerOf(child, "loaded", errors);
  // It is waited for with the first order.
  loaded.catch(() => {});
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const send = async (order: SweepOrder | "rest") => {
    await loaded;
    const ready = answerOf(child, "ready", errors);
    child.send(order);
    await Promise.race([ready, ended]);
  };
  return {
    run: send,
    rest: () => send("rest"),
    get hasEnded() {
      return hasEnded();
    },
    async kill() {
      child.kill("SIGKILL");
      if (!hasEnded()) await ended;
    },
  };
}

/** @throws Error if it says that it failed, or ends by itself */
function answerOf(child: ChildProcess, kind: SweepAnswer["kind"], errors: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: SweepAnswer) => {
      if (answer.kind === "failed") finish(() => reject(new Error(answer.why)));
      else if (answer.kind === kind) finish(resolve);
    };
    const onExit = (_code: number | null, signal: NodeJS.Signals | null) => {
      const why = `A process of the sweep ended:\n${errors.join("").slice(-2_000)}`;
      finish(signal === "SIGKILL" ? resolve : () => reject(new Error(why)));
    };
    const finish = (then: () => void) => {
      child.off("message", onMessage).off("exit", onExit);
      then();
    };
    child.on("message", onMessage).on("exit", onExit);
  });
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { readyMessage } from "../../src/cli/supervisor.ts";
import { withDeadline } from "../../src/lib/deadline.ts";
import { endChild, endWithUs } from "../../test/support/command.ts";
import { installation } from "./installation.ts";

/** The same for both sides: production mode, and no log of what went well. */
const common = {
  NODE_ENV: "production",
  LOG_LEVEL: "warn",
};

let started = 0;

/** For each process its own: a store of an earlier measurement, which may have had the same port, is not to be remembered. */
function dataDirectory(): string {
  started += 1;
  return join(installation(), "data", String(started));
}

const STDERR_MAX = 4_000;
const START_MS = 60_000;

/** A process of the laboratory's that has said that it is ready. */
export interface Started<Ready> {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** Rejects when it ends, with what it had printed. */
  readonly ended: Promise<never>;
  /** @param signal by default it ends at once: what it still does is no part of a measurement */
  end(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** @param script of the laboratory's, seen from `bench/`, without its ending */
export function startScript<Ready>(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Started<Ready>> {
  return start([`bench/${script}.js`, ...args], env, firstMessage<Ready>);
}

/** A role of Holdfast's by its own command, as shipped, on the application of the benchmarks if no other is given. */
export function startHoldfast<Ready>(
  role: "api" | "worker" | "scheduler",
  env: NodeJS.ProcessEnv,
): Promise<Started<Ready>> {
  const defaults = {
    HOLDFAST_CONFIG: "bench/holdfast.config.js",
    PORT: "0",
    // Required by the jobs; no mail is sent.
    SMTP_URL: "smtp://127.0.0.1:9",
  };
  return start(["bin/holdfast", role], { ...defaults, ...env }, readyMessage<Ready>);
}

async function firstMessage<Ready>(child: ChildProcess): Promise<Ready> {
  const [message] = await once(child, "message");
  return message;
}

async function start<Ready>(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  hear: (child: ChildProcess) => Promise<Ready>,
): Promise<Started<Ready>> {
  const child = spawn(process.execPath, args, {
    cwd: installation(),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...common,
      HOLDFAST_DATA_DIR: dataDirectory(),
      ...env,
    },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  endWithUs(child);
  let printed = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    printed = (printed + text).slice(-STDERR_MAX);
  });
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`${args.join(" ")} ended (${signal ?? `exit code ${code}`}):\n${printed}`);
  });
  ended.catch(() => {});
  const late = () => new Error(`${args.join(" ")} was not ready in time:\n${printed}`);
  const ready = await Promise.race([withDeadline(hear(child), START_MS, late), ended]);
  return {
    child,
    ready,
    ended,
    end: (signal = "SIGKILL") => endChild(child, signal),
  };
}

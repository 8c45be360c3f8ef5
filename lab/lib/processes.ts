import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { readyMessage } from "../../src/edges/cli/system/supervisor.ts";
import { withDeadline } from "../../src/platform/lib/deadline.ts";
import { endChild, endWithUs } from "../../test/support/command.ts";
import { installation } from "./installation.ts";

/** For both sides: production mode, and no log of successes. */
const common = {
  NODE_ENV: "production",
  LOG_LEVEL: "warn",
};

let started = 0;

/** A new one per process: it must not remember an earlier measurement's Redis on the same port. */
function dataDirectory(): string {
  started += 1;
  return join(installation(), "data", String(started));
}

const STDERR_MAX = 4_000;
const START_MS = 60_000;

/** A started process that has reported that it is ready. */
export interface Started<Ready> {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** Rejects when it ends, with its output. */
  readonly ended: Promise<never>;
  /** @param signal ends it at once by default; what it still does is not measured */
  end(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** @param script relative to `lab/bench/`, without extension */
export function startScript<Ready>(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Started<Ready>> {
  return start([`lab/bench/${script}.js`, ...args], env, firstMessage<Ready>);
}

/**
 * Starts a role by its shipped command, with the benchmarked application by default.
 *
 * @param root of the build @default a copy of it
 */
export function startHoldfast<Ready>(
  role: "api" | "worker" | "scheduler",
  env: NodeJS.ProcessEnv,
  root = installation(),
): Promise<Started<Ready>> {
  const defaults = {
    HOLDFAST_CONFIG: "lab/bench/holdfast.config.js",
    PORT: "0",
    // The jobs require it; no mail is sent.
    SMTP_URL: "smtp://127.0.0.1:9",
  };
  return start(["bin/holdfast", role], { ...defaults, ...env }, readyMessage<Ready>, root);
}

async function firstMessage<Ready>(child: ChildProcess): Promise<Ready> {
  const [message] = await once(child, "message");
  return message;
}

async function start<Ready>(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  readyOf: (child: ChildProcess) => Promise<Ready>,
  root = installation(),
): Promise<Started<Ready>> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...common,
      HOLDFAST_DATA_DIR: env.HOLDFAST_DATA_DIR ?? dataDirectory(),
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
  const ready = await Promise.race([withDeadline(readyOf(child), START_MS, late), ended]);
  return {
    child,
    ready,
    ended,
    end: (signal = "SIGKILL") => endChild(child, signal),
  };
}

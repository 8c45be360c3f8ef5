import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { endWithUs } from "../../../test/support/command.ts";
import { inNamespace } from "../../../test/support/redis-server.ts";

export interface Ready {
  readonly url?: string;
}

/** The environment without any configuration of Holdfast. */
export function neutralEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/^(HOLDFAST_|LAB_|(REDIS|SMTP)_URL$)/.test(name)));
}

/** Where each process logs. */
const logs = new WeakMap<ChildProcess, string>();
const LOG_SHOWN_MAX = 2_000;

/** Starts a laboratory script as a child process that never outlives this one, in the network namespace that `LAB_NAMESPACE` names. */
export function startProcess(script: string, env: NodeJS.ProcessEnv, logFile: string): ChildProcess {
  const log = openSync(logFile, "a");
  const interpreter = script.endsWith(".py") ? "python3" : process.execPath;
  const [program, ...args] = inNamespace([interpreter, script], env.LAB_NAMESPACE);
  const child = spawn(program, args, {
    env: { ...neutralEnvironment(), ...env },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  endWithUs(child);
  logs.set(child, logFile);
  return child;
}

/** Waits for the message with which a process reports that it is ready. */
export async function readiness(child: ChildProcess, withinMs = 60_000): Promise<Ready> {
  const signal = AbortSignal.timeout(withinMs);
  return await new Promise((resolve, reject) => {
    const fail = () => {
      const log = readFileSync(logs.get(child) ?? "/dev/null", "utf8").slice(-LOG_SHOWN_MAX);
      reject(new Error(`A process of the laboratory did not start: ${child.spawnargs[1]}\n${log}`));
    };
    signal.addEventListener("abort", fail, { once: true });
    child.once("exit", fail);
    child.on("message", (message: Ready & { ready?: true }) => {
      if (message.ready) resolve(message);
    });
  });
}

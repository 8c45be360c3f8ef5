import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { COMPILED_CONFIG } from "./compiled-config.ts";
import type { Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";
import { until } from "./until.ts";

/** The command of a checkout. */
export const BIN = fileURLToPath(new URL("../../bin/holdfast", import.meta.url));
export const CONFIG = fileURLToPath(new URL("fixtures/holdfast.config.ts", import.meta.url));

/** A start takes a second on an idle machine, and many when all tests run at once. */
export const START_MS = 60_000;

/** For tests that start processes, some one after another. */
export const withProcesses = { timeout: 5 * START_MS };

/** A `holdfast` process, killed when the test ends. */
export interface HoldfastProcess {
  readonly pid: number;
  readonly stdin: ChildProcessWithoutNullStreams["stdin"];
  /** Its output so far. */
  readonly stdout: string;
  readonly stderr: string;
  kill(signal: NodeJS.Signals): void;
  /** As a reader of its output that ends. */
  closeStdout(): void;
  readonly ended: Promise<Ended>;
}

export interface Ended {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LaunchOptions {
  readonly cwd?: string;
  /** In its own process group, so that `pressCtrlC` does not hit the test. */
  readonly detached?: boolean;
}

/** Starts `bin/holdfast` with these arguments, on the application of `fixtures/holdfast.config.ts`. */
export function launch(
  args: readonly string[],
  env: Variables,
  options: LaunchOptions = {},
): HoldfastProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    ...options,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HOLDFAST_CONFIG: COMPILED_CONFIG, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      printed[name] += chunk;
    });
  }
  child.stdin.on("error", () => {}); // a command that ends early does not read the rest
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...printed }));
  return {
    pid: child.pid!,
    stdin: child.stdin,
    get stdout() {
      return printed.stdout;
    },
    get stderr() {
      return printed.stderr;
    },
    kill: (signal) => void child.kill(signal),
    closeStdout: () => void child.stdout.destroy(),
    ended,
  };
}

/** Starts a role; resolves when its log says that it is ready. */
export async function launchRole(
  role: "api" | "worker" | "scheduler" | "relay",
  env: Variables,
): Promise<HoldfastProcess> {
  const child = launch([role], { ...env, HOLDFAST_LOG_LEVEL: "info" });
  const ended = child.ended.then(({ stderr }) => {
    throw new Error(`The ${role} ended before it was ready:\n${stderr}`);
  });
  await Promise.race([
    until(`the ${role} is ready`, () => child.stderr.includes(' ready"'), START_MS),
    ended,
  ]);
  ended.catch(() => {});
  return child;
}

/** The URL in an API process's log. */
export function urlOf(api: HoldfastProcess): string {
  const [, url = ""] = /"url":"([^"]+)"/.exec(api.stderr) ?? [];
  return url;
}

/** Runs a command to its end in a process of its own; where that is not what is tested, `run` takes less. */
export function runProcess(args: readonly string[], env: Variables, stdin = ""): Promise<Ended> {
  const child = launch(args, env);
  child.stdin.end(stdin);
  return child.ended;
}

/** Signals every process of the group, as a terminal does. */
export function pressCtrlC({ pid }: HoldfastProcess): void {
  process.kill(-pid, "SIGINT");
}

export interface ProcessEntry {
  readonly pid: number;
  /** Its command line. */
  readonly command: string;
}

/** The running child processes of a process. */
export function childrenOf(parent: number): ProcessEntry[] {
  return runningProcesses().filter(({ ppid }) => ppid === parent);
}

export function isAlive(pid: number): boolean {
  return runningProcesses().some((entry) => entry.pid === pid);
}

/** Without zombies. */
function runningProcesses(): (ProcessEntry & { readonly ppid: number })[] {
  const listed = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" });
  return listed.split("\n").flatMap((line) => {
    const [, pid, ppid, stat, command = ""] = /^ *(\d+) +(\d+) +(\S+) +(.*)$/.exec(line) ?? [];
    const hasEnded = stat === undefined || stat.startsWith("Z");
    return hasEnded ? [] : [{ pid: Number(pid), ppid: Number(ppid), command }];
  });
}

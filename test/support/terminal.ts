import { spawn } from "node:child_process";
import { once } from "node:events";
import { BIN, CONFIG } from "./processes.ts";
import type { Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A `holdfast` command in a pseudo-terminal, killed when the test ends. */
export interface TerminalProcess {
  /** Standard output and standard error so far, with what commands the terminal. */
  readonly shown: string;
  pressCtrlC(): void;
  /** Types a line, and Enter. */
  type(line: string): void;
  /** Its exit code. */
  readonly ended: Promise<number>;
}

/** Starts `bin/holdfast` as a person would, in a terminal of this size. */
export function launchInTerminal(
  args: readonly string[],
  env: Variables,
  { columns, rows }: TerminalSize,
): TerminalProcess {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const line = `stty cols ${columns} rows ${rows}; exec ${command.join(" ")}`;
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: "xterm", HOLDFAST_CONFIG: CONFIG, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    shown += chunk.replaceAll("\r\n", "\n");
  });
  return {
    get shown() {
      return shown;
    },
    pressCtrlC: () => void child.stdin.write("\x03"),
    type: (line) => void child.stdin.write(`${line}\r`),
    ended: once(child, "close").then(([code]) => code as number),
  };
}

/** Runs a command in a terminal to its end. */
export async function runInTerminal(
  args: readonly string[],
  env: Variables,
  size: TerminalSize,
): Promise<{ readonly code: number; readonly shown: string }> {
  const running = launchInTerminal(args, env, size);
  const code = await running.ended;
  return { code, shown: running.shown };
}

const COLOR = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g");

/** What remains to read without colors. */
export function withoutColors(text: string): string {
  return text.replaceAll(COLOR, "");
}

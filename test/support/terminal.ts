import { spawn } from "node:child_process";
import { once } from "node:events";
import { COMPILED_CONFIG } from "./compiled-config.ts";
import { BIN, START_MS } from "./processes.ts";
import type { Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";
import { until } from "./until.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A `holdfast` command in a pseudo-terminal, killed when the test ends. */
export interface TerminalProcess {
  /** Standard output and standard error so far, with what commands the terminal. */
  readonly shown: string;
  /** Waits until it shows this. @throws Error with what it showed, if it ends without it */
  untilShown(text: string): Promise<void>;
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
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TERM: "xterm",
      HOLDFAST_CONFIG: COMPILED_CONFIG,
      ...env,
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    shown += chunk.replaceAll("\r\n", "\n");
  });
  let isOver = false;
  const ended = once(child, "close").then(([code]) => {
    isOver = true;
    return code as number;
  });
  return {
    get shown() {
      return shown;
    },
    untilShown: async (text) => {
      await until(`the terminal shows ${text}`, () => isOver || shown.includes(text), START_MS);
      if (!shown.includes(text)) throw new Error(`It ended, and never showed ${text}: ${shown}`);
    },
    pressCtrlC: () => void child.stdin.write("\x03"),
    type: (line) => void child.stdin.write(`${line}\r`),
    ended,
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

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { isoTime } from "../../../platform/lib/iso-time.ts";
import { untilStopRequested } from "../system/signals.ts";
import { type Json, print, printError, printJson, textFor } from "./output.ts";
import { pagerCommand, screen } from "./screen.ts";
import { cutTo, type Lines, linesOf } from "./text.ts";

/** What the options of `addShowOptions` give. */
export interface ShowOptions extends Json {
  readonly watch?: true | undefined;
}

export function addShowOptions(command: Command): Command {
  return command
    .option(
      "--watch",
      "read it again every two seconds until Ctrl-C: redrawn in a terminal, elsewhere printed when it changes",
    )
    .option("--json", "print one JSON object a line");
}

export interface Showing<T> {
  read(): Promise<T>;
  describe(found: T): Lines;
  /** One a line. */
  json(found: T): readonly unknown[];
  /** Ends a watch. @default it goes on */
  isLast?(found: T): boolean;
  /** @default 2,000 */
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;

/**
 * Prints what is read: through a pager if it is long; again and again with `--watch`.
 *
 * @returns what was read last
 */
export async function show<T>(shown: Showing<T>, { json, watch }: ShowOptions): Promise<T> {
  if (watch) return await watchFor(shown, json === true);
  const found = await shown.read();
  if (json) printJson(...shown.json(found));
  else await page(shown.describe(found));
  return found;
}

async function watchFor<T>(shown: Showing<T>, json: boolean): Promise<T> {
  const stopped = untilStopRequested().then(() => true);
  const draw = screen().isTerminal && !json ? redrawer(shown) : printer(shown, json);
  let found = await shown.read();
  draw.show(found);
  try {
    const pause = () => Promise.race([stopped, sleep(shown.everyMs ?? EVERY_MS, false)]);
    while (!shown.isLast?.(found) && !(await pause())) {
      found = (await tried(shown.read, draw.showFault)) ?? found;
      draw.show(found);
    }
    return found;
  } finally {
    draw.end(found);
  }
}

/** Failures that may pass do not end a watch. */
async function tried<T>(
  read: () => Promise<T>,
  showFault: (error: HoldfastError) => void,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof HoldfastError && error.retryable)) throw error;
    showFault(error);
    return undefined;
  }
}

interface Drawing<T> {
  show(found: T): void;
  showFault(error: HoldfastError): void;
  end(last: T): void;
}

/** Prints each change below the last. */
function printer<T>({ describe, json: values }: Showing<T>, json: boolean): Drawing<T> {
  let printed = "";
  return {
    show(found) {
      const text = json ? JSON.stringify(values(found)) : textFor(describe(found));
      if (text === printed) return;
      if (json) printJson(...values(found));
      else print(printed === "" ? describe(found) : [[""], ...linesOf(describe(found))]);
      printed = text;
    },
    showFault: ({ message }) => printError(message),
    end: () => {},
  };
}

const ESCAPE = "\x1b[";

/** Draws on the terminal's second screen, over what it drew before. The first screen is back at the end. */
function redrawer<T>({ describe }: Showing<T>): Drawing<T> {
  process.stdout.write(`${ESCAPE}?1049h${ESCAPE}?25l`);
  let note: string | undefined;
  return {
    show(found) {
      const { columns, rows } = screen();
      const lines = linesOf(describe(found));
      const footer = note ?? `${isoTime(Date.now())} · Ctrl-C ends`;
      const room =
        lines.length > rows - 2
          ? [...lines.slice(0, rows - 3), [`… ${lines.length - rows + 3} more lines`]]
          : lines;
      const text = textFor([
        ...room,
        [""],
        [{ text: cutTo(footer, columns), tone: note === undefined ? "faint" : "warning" }],
      ]);
      process.stdout.write(`${ESCAPE}H${text.trimEnd().replaceAll("\n", `${ESCAPE}K\n`)}${ESCAPE}J`);
      note = undefined;
    },
    showFault: ({ message }) => {
      note = message;
    },
    end(last) {
      process.stdout.write(`${ESCAPE}?25h${ESCAPE}?1049l`);
      print(describe(last));
    },
  };
}

/** A shell's exit code if there is no such command. */
const NOT_FOUND = 127;

/** Prints lines, through a pager if they do not fit on the terminal. */
async function page(lines: Lines): Promise<void> {
  const { isTerminal, rows } = screen();
  const text = textFor(lines);
  const pager = isTerminal && linesOf(lines).length >= rows ? pagerCommand() : undefined;
  if (pager === undefined || !(await runPager(pager, text))) process.stdout.write(text);
}

/** @returns false if there is no such pager */
async function runPager(pager: string, text: string): Promise<boolean> {
  // As git does: exit if it fits, keep colors and what was shown; a user's own LESS wins.
  const child = spawn(`LESS="\${LESS-FRX}" ${pager}`, {
    shell: true,
    stdio: ["pipe", "inherit", "inherit"],
  });
  // Ctrl-C goes to the pager. A pager that is left early reads no more.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  child.stdin.on("error", ignore);
  child.stdin.end(text);
  try {
    const [code] = await once(child, "close");
    return code !== NOT_FOUND;
  } finally {
    process.off("SIGINT", ignore);
  }
}

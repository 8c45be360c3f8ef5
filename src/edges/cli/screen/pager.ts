import { spawn } from "node:child_process";
import { once } from "node:events";
import { textFor } from "./output.ts";
import { pagerCommand, screen } from "./screen.ts";
import { type Lines, linesOf } from "./text.ts";

/** A shell's exit code if there is no such command. */
const NOT_FOUND = 127;

/** Prints lines, through a pager if they do not fit on the terminal. */
export async function page(lines: Lines): Promise<void> {
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

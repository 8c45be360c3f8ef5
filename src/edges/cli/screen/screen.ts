import type { WriteStream } from "node:tty";
import { readVariable } from "../../../platform/config/settings.ts";

/** What an output can show. */
export interface Screen {
  readonly isTerminal: boolean;
  /** Infinity without a terminal: then nothing is cut. */
  readonly columns: number;
  readonly rows: number;
  readonly hasColors: boolean;
}

/** Options of the command line; they override the environment. */
export interface ScreenOptions {
  readonly color: boolean;
  readonly pager: boolean;
}

type Output = Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
type Variable = (name: string) => string | undefined;

let chosen: ScreenOptions = { color: true, pager: true };

/** Called once, before a command runs. */
export function chooseScreen(options: ScreenOptions): void {
  chosen = options;
}

/** Standard output as it is now: terminals are resized. */
export function screen(): Screen {
  return screenOf(process.stdout, chosen, readVariable);
}

/** @param variable reads the environment: `NO_COLOR` wins over `FORCE_COLOR`, which wins over what the terminal is */
export function screenOf(
  { isTTY = false, columns, rows }: Output,
  { color }: Pick<ScreenOptions, "color">,
  variable: Variable,
): Screen {
  const size = (found: number | undefined) => (isTTY && found ? found : Number.POSITIVE_INFINITY);
  return {
    isTerminal: isTTY,
    columns: size(columns),
    rows: size(rows),
    hasColors: color && hasColors(isTTY, variable),
  };
}

/** The pager's command; undefined if none is wanted. */
export function pagerCommand(): string | undefined {
  const command = readVariable("PAGER") ?? "less";
  return chosen.pager && command !== "cat" ? command : undefined;
}

function hasColors(isTerminal: boolean, variable: Variable): boolean {
  if (variable("NO_COLOR") !== undefined) return false;
  const forced = variable("FORCE_COLOR");
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return isTerminal && variable("TERM") !== "dumb";
}

import type { Desk, Terminal } from "./desk.ts";
import type { Night } from "./night.ts";

/** A task of a bad night, once in the console and once in a terminal. Each begins where an operator is: at the overview, or at the prompt. */
export interface Task {
  readonly name: string;
  inConsole(desk: Desk, night: Night): Promise<void>;
  inTerminal(terminal: Terminal, night: Night): Promise<void>;
  /** Whether what was asked for is so, by what the service answers then. @throws Error if it is not */
  isSo?(night: Night): Promise<void>;
}

/** @throws Error, because a task that did not do what it is for is no measurement */
export function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`Expected that ${what}`);
}

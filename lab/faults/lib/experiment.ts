import type { Random } from "../../../test/support/random.ts";
import type { Table } from "../../../test/support/report.ts";
import type { Counts, Verdict } from "./checker.ts";

/** A way to disturb the service, and what must still hold. */
export interface Experiment {
  readonly number: number;
  readonly title: string;
  readonly fault: string;
  readonly mustHold: string;
  run(context: Context): Promise<Outcome>;
}

export interface Context {
  readonly random: Random;
  /** The short form: the same faults, but fewer. */
  readonly isQuick: boolean;
  /** Reports progress. */
  say(progress: string): void;
}

export interface Outcome {
  readonly counts: Counts;
  /** Results of this experiment only. */
  readonly table?: Table;
  /** Sentences about what was measured. */
  readonly measured: readonly string[];
  /** Guarantees that did not hold. */
  readonly broken: readonly string[];
  readonly controls: readonly Control[];
}

/** The same run with one protection removed: the checker must notice. */
export interface Control {
  readonly protection: string;
  readonly isCaught: boolean;
  readonly seen: string;
}

const promises: readonly [keyof Counts, string][] = [
  ["lost", "acknowledged jobs were lost"],
  ["repeated", "effects were repeated"],
  ["falselyDone", "jobs said completed without their effect"],
  ["unexplained", "effects were in doubt without a fault in their window"],
  ["concealed", "effects were interrupted in their window and are not in doubt"],
  ["failed", "jobs failed for another reason than doubt"],
  ["notEnded", "jobs did not end"],
  ["stuck", "doubts were stuck"],
];

/** Whether every guarantee held and every control was caught. */
export function hasHeld({ broken, controls }: Outcome): boolean {
  return broken.length === 0 && controls.every(({ isCaught }) => isCaught);
}

/** @param seen what went wrong without the protection */
export function controlOf(protection: string, seen: readonly string[]): Control {
  return { protection, isCaught: seen.length > 0, seen: seen.join("; ") || "nothing" };
}

/**
 * Repeats a control that chance or a slow machine decides, until it is caught.
 *
 * @param triesMax so many that all of them miss in less than one run in a thousand
 */
export async function untilCaught(
  triesMax: number,
  tryOnce: (time: number) => Promise<Control>,
): Promise<Control> {
  for (let time = 1; ; time += 1) {
    const control = await tryOnce(time);
    if (!control.isCaught && time < triesMax) continue;
    return time === 1 ? control : { ...control, seen: `${control.seen}, at try ${time}` };
  }
}

/** The guarantees that a verdict shows broken, and the processes that ended by themselves. */
export function brokenBy({ counts, findings, ended }: Verdict): string[] {
  const broken = promises
    .filter(([kind]) => counts[kind] > 0)
    .map(([kind, what]) => `${counts[kind]} ${what}`);
  return [...broken, ...(broken.length > 0 ? findings : []), ...ended];
}

export function sum(parts: readonly Counts[]): Counts {
  const [first, ...rest] = parts;
  if (first === undefined) throw new Error("Nothing to add up");
  const total = { ...first };
  for (const part of rest) {
    for (const kind of Object.keys(part) as (keyof Counts)[]) total[kind] += part[kind];
  }
  return total;
}

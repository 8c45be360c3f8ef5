import { controls } from "./effect-names.ts";
import { broken } from "./judge.ts";
import type { RowEnd, RuntimeRun } from "./run-rows.ts";

/** What a whole run found. */
export interface Results {
  readonly runs: readonly (RuntimeRun & { readonly runtime: string })[];
  /** Runtimes that are not installed here. */
  readonly missing: readonly string[];
  readonly seconds: number;
}

export function isControl({ row }: RowEnd): boolean {
  return controls.has(row.mode);
}

/** Acts that nobody can see, and that a declared classifier denies: they are counted apart. */
export function isDenied({ row }: RowEnd): boolean {
  return !controls.has(row.mode) && row.company?.isDeniedByDeclaration === true;
}

/** Rows that break a promise. Those of the control must. */
export function brokenRows(ends: readonly RowEnd[]): readonly RowEnd[] {
  return ends.filter(({ wrong }) => wrong !== undefined && broken.has(wrong));
}

/** Libraries in which the control acted again or was falsely called not done, and those in which it was not. */
export function controlledLibraries({ runs }: Pick<Results, "runs">): { caught: string[]; missed: string[] } {
  const ends = runs.flatMap((run) => run.ends.filter(isControl));
  const names = [...new Set(ends.map(({ row }) => row.library))];
  const caught = new Set(brokenRows(ends).map(({ row }) => row.library));
  return {
    caught: names.filter((name) => caught.has(name)),
    missed: names.filter((name) => !caught.has(name)),
  };
}

/** Nothing acted again, nothing was falsely called not done, and the old default would have. */
export function hasHeld(results: Pick<Results, "runs">): boolean {
  const ends = results.runs.flatMap(({ ends }) => ends.filter((end) => !isControl(end) && !isDenied(end)));
  const unloadable = results.runs.some((run) => run.ends.length === 0);
  const { caught, missed } = controlledLibraries(results);
  return !unloadable && brokenRows(ends).length === 0 && caught.length > 0 && missed.length === 0;
}

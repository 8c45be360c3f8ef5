/**
 * What must hold, whatever happens in whatever order. Each invariant is a sentence, and a function that says how it is broken.
 */

/** What Redis says of an effect. */
export interface Entry {
  readonly state: "reserved" | "in-doubt" | "done";
  readonly reservationId: string;
  readonly fence?: string | number;
}

/** A moment, as the outside and Redis show it. */
export interface Moment {
  /** The effects of the job. */
  readonly effects: readonly string[];
  /** How often the outside has done each. */
  readonly acts: ReadonlyMap<string, number>;
  /** What the ledger has of each; undefined where it has nothing. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** How many effects the ledger counts as open. */
  readonly open: number;
  /** The effects that are listed as in doubt. */
  readonly doubts: readonly string[];
  readonly job: "waiting" | "active" | "delayed" | "completed" | "failed" | "gone";
  readonly failure: string;
  /** JSON of what the job has returned: a receipt for each effect, or null where nobody knows it. */
  readonly result: string;
  /** Whether the ledger has a time to live. */
  readonly expires: boolean;
  /** Whether no fault has come so far, and no time has passed. */
  readonly isCalm: boolean;
  /** Whether an effect has been in doubt before. */
  readonly wasInDoubt: boolean;
}

type Invariant = readonly [sentence: string, brokenBy: (moment: Moment) => string | undefined];

const times = ({ acts }: Moment, effect: string) => acts.get(effect) ?? 0;
const stateOf = ({ entries }: Moment, effect: string) => entries.get(effect)?.state ?? "absent";

/** The first effect that breaks it. */
function eachEffect(isBroken: (moment: Moment, effect: string) => boolean): Invariant[1] {
  return (moment) =>
    moment.effects
      .filter((effect) => isBroken(moment, effect))
      .map(
        (effect) =>
          `${effect}: ${times(moment, effect)} times done, the ledger says ${stateOf(moment, effect)}`,
      )[0];
}

/** At every moment. */
export const always: readonly Invariant[] = [
  ["An effect acts at most once", eachEffect((moment, effect) => times(moment, effect) > 1)],
  [
    "What the ledger calls done has happened",
    eachEffect((moment, effect) => stateOf(moment, effect) === "done" && times(moment, effect) === 0),
  ],
  [
    "What has happened is not forgotten",
    eachEffect((moment, effect) => times(moment, effect) > 0 && stateOf(moment, effect) === "absent"),
  ],
  [
    "A job completes only if its effects have happened",
    eachEffect((moment, effect) => moment.job === "completed" && times(moment, effect) === 0),
  ],
  [
    "A completed job has no effect in doubt",
    eachEffect((moment, effect) => moment.job === "completed" && stateOf(moment, effect) === "in-doubt"),
  ],
  [
    "Each doubt is listed, and nothing else",
    eachEffect(
      (moment, effect) => moment.doubts.includes(effect) !== (stateOf(moment, effect) === "in-doubt"),
    ),
  ],
  [
    "The ledger counts what is open",
    ({ entries, open }) => {
      const count = [...entries.values()].filter(({ state }) => state !== "done").length;
      return count === open ? undefined : `it counts ${open}, and has ${count}`;
    },
  ],
  [
    "Without a fault nothing is in doubt",
    eachEffect((moment, effect) => moment.isCalm && stateOf(moment, effect) === "in-doubt"),
  ],
  [
    "A ledger does not expire while something of it is open",
    ({ expires, open }) => (expires && open > 0 ? `${open} effects are open` : undefined),
  ],
  ["An acknowledged job is not lost", ({ job }) => (job === "gone" ? "it is gone" : undefined)],
];

/** When everything has gone on as far as it can, no fault has come, and no time has passed. */
export const atOnce: readonly Invariant[] = [
  [
    "Without a fault the job completes at once",
    ({ job }) => (job === "completed" ? undefined : `it is ${job}`),
  ],
];

/** When no fault comes any more, a worker runs, and an operator has said the truth of each doubt. */
export const atLast: readonly Invariant[] = [
  [
    "The job completes",
    ({ job, failure }) => (job === "completed" ? undefined : `it is ${job}${failure && `: ${failure}`}`),
  ],
  ["Each effect has happened once", eachEffect((moment, effect) => times(moment, effect) !== 1)],
  [
    "What an effect has returned is not lost",
    ({ result, effects, wasInDoubt }) => {
      const expected = JSON.stringify({ done: effects });
      return wasInDoubt || result === expected ? undefined : `the job has returned ${result}`;
    },
  ],
  ["A ledger that nobody needs expires", ({ expires }) => (expires ? undefined : "it has no time to live")],
  ["Nothing stays open", ({ open }) => (open === 0 ? undefined : `${open} effects are open`)],
];

export class Broken extends Error {}

/** @throws Broken */
export function check(invariants: readonly Invariant[], moment: Moment): void {
  for (const [sentence, brokenBy] of invariants) {
    const how = brokenBy(moment);
    if (how !== undefined) throw new Broken(`${sentence}. But ${how}.`);
  }
}

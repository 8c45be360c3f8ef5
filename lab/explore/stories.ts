import { type Bounds, JUMP_MS, type Scenario } from "./lib/run.ts";
import { LATE_REPORT, steps } from "./scenarios.ts";

/** An order in which a promise was once broken. Each run follows it again. */
interface Story {
  readonly title: string;
  readonly scenario: string;
  /** Each step must be possible still, */
  readonly path: readonly string[];
  /** but these of them, which only a broken promise makes possible. */
  readonly refused?: readonly string[];
}

/** A story has the faults and the time that it needs. */
export const STORY: Bounds = { faults: 9, jumps: 9, jumpMs: JUMP_MS };

export function storiesOf({ name }: Scenario): readonly Story[] {
  return stories.filter(({ scenario }) => scenario === name);
}

const begun = "w1: moveToActive; w1: reserve";
const lostRequest = `${begun}; w1: the outside: charge, and the request is lost; 14 s pass; w1: its timer of 20 ms fires`;
const lookedAt = `${begun}; 14 s pass; w1: its lock is due for renewal; w1: extendLocks; w1: doubt; op0 looks at charge`;

const stories: readonly Story[] = [
  {
    title:
      "A reservation whose reply was lost, and whose lock is gone before it is sent again, is given back",
    scenario: "one-worker",
    path: steps(`${begun}, and its connection breaks before the reply: it is sent again; 14 s pass`),
  },
  {
    title: "That a run is over is reported again until Redis takes it",
    scenario: "one-worker",
    path: steps(lostRequest, "w1: doubt; w1: run-over, which Redis refuses for now"),
  },
  {
    title: "That a run is over is reported also where its doubt could not be, since the lock is gone",
    scenario: "one-worker",
    path: steps(lostRequest, "w1: doubt, which Redis refuses for now"),
  },
  {
    title: "A run that succeeds after its time says so, and nobody who looked before it acted is believed",
    scenario: "early-look",
    path: steps(lookedAt, "w1: the outside: charge; w1: moveToFinished; w1: run-over; op0: resolve"),
  },
  {
    title: "A run that acts and gets no answer after an operator has looked is looked for again",
    scenario: "early-look",
    path: steps(
      `${lookedAt}; w1: the outside: charge, and the answer is lost; w1: moveToFinished; 14 s pass`,
      "w1: its timer of 20 ms fires; w1: moveToActive; w1: run-over; op0: resolve",
    ),
  },
  {
    title: "That an earlier run is over says nothing of a later one",
    scenario: "late-report",
    path: [
      ...LATE_REPORT,
      ...steps("w1: run-over; 14 s pass; w2: its lock is due for renewal; w2: extendLocks; w2: doubt"),
      ...steps("op1 looks at charge; op1: resolve; w2: the outside: charge"),
    ],
    refused: steps("op1 looks at charge; op1: resolve"),
  },
];

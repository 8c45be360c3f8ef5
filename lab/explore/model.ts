import { Broken, type Entry, type Moment } from "./invariants.ts";

/**
 * The ledger as a state machine: what a script may make of an effect's entry. Exploration checks that each step of the real scripts is
 * one of these.
 *
 *   absent ──reserve──▶ reserved ──commit, ledger-sweep──▶ done
 *                          │ └────release──────────────▶ absent
 *                          └──doubt, reserve, left-open, either sweep──▶ in-doubt ──resolve──▶ done, absent
 *
 * Where the policy is to repeat, another run may reserve what is in doubt, or past its deadline.
 */
type State = Entry["state"] | "absent";

interface Transition {
  readonly from: State;
  readonly to: State;
  readonly by: readonly string[];
  /** Whether it is another run's reservation afterwards. */
  readonly isOther?: boolean;
  /** Whether only the policy `repeat` allows it. */
  readonly ifRepeat?: boolean;
}

const transitions: readonly Transition[] = [
  { from: "absent", to: "reserved", by: ["reserve"], isOther: true },
  { from: "reserved", to: "done", by: ["commit", "ledger-sweep"] },
  { from: "reserved", to: "absent", by: ["release"] },
  { from: "reserved", to: "in-doubt", by: ["doubt", "reserve", "left-open", "ledger-sweep", "sweep"] },
  { from: "in-doubt", to: "done", by: ["resolve"] },
  { from: "in-doubt", to: "absent", by: ["resolve"] },
  { from: "reserved", to: "reserved", by: ["reserve"], isOther: true, ifRepeat: true },
  { from: "in-doubt", to: "reserved", by: ["reserve"], isOther: true, ifRepeat: true },
  { from: "reserved", to: "in-doubt", by: ["release"], ifRepeat: true },
];

interface EffectOfStep {
  readonly effect: string;
  readonly policy: string;
  /** Whether its job was running; without a job always. */
  readonly mayBegin: boolean;
}

/**
 * @param scripts those that Redis ran in this step
 * @throws Broken where no transition leads from one entry to the other
 */
export function checkStep(
  { effect, policy, mayBegin }: EffectOfStep,
  before: Entry | undefined,
  after: Entry | undefined,
  scripts: readonly string[],
): void {
  const [from, to] = [before?.state ?? "absent", after?.state ?? "absent"];
  const isOther = before?.reservationId !== after?.reservationId && after !== undefined;
  if (from === to && !isOther) return;
  if (to === "reserved" && isOther && !mayBegin)
    throw new Broken(`Only a job that runs begins an effect. But ${effect} was begun.`);
  const allowed = transitions.some(
    (one) =>
      one.from === from &&
      one.to === to &&
      (one.isOther ?? false) === isOther &&
      (one.ifRepeat !== true || policy === "repeat") &&
      one.by.some((script) => scripts.includes(script)),
  );
  if (isOther && Number(after?.fence) <= Number(before?.fence ?? 0))
    throw new Broken(
      `Each run has a higher fence than the one before. But ${effect} got ${after?.fence} after ${before?.fence}.`,
    );
  if (!allowed)
    throw new Broken(
      `The model has no such step. But ${scripts.join(", ") || "nothing"} made ${effect} ${to}${isOther ? " for another run" : ""}, which was ${from}.`,
    );
}

type Job = Moment["job"];

/** What these scripts make of a job; of one in any other state nothing. */
const jobs: Readonly<Record<string, Partial<Record<Job, Job>>>> = {
  cancel: { waiting: "failed", delayed: "failed" },
  "retry-job": { failed: "waiting" },
};

/** @throws Broken where one of these scripts ran in a step, and made something else of the job */
export function checkJobStep(before: Job, after: Job, scripts: readonly string[]): void {
  for (const script of scripts) {
    const expected = jobs[script]?.[before] ?? before;
    if (script in jobs && after !== expected)
      throw new Broken(`The model has no such step. But ${script} made a job that was ${before} ${after}.`);
  }
}

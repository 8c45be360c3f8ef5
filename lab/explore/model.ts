import { Broken, type Entry, type Moment } from "./invariants.ts";

/**
 * The ledger as a state machine: what a script may make of an effect's entry. Exploration checks that each step of the real scripts is
 * one of these.
 *
 *   absent ──reserve──▶ reserved ──commit, ledger-sweep──▶ done
 *                          │ └────release──────────────▶ absent
 *                          └──doubt, reserve, left-open, either sweep──▶ in-doubt ──resolve──▶ done, absent
 *
 * What Redis has forgotten is put in doubt by whoever runs it. Where the policy is to repeat, another run may reserve what is in doubt, or past its deadline.
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
  { from: "absent", to: "in-doubt", by: ["doubt-forgotten"], isOther: true },
  { from: "reserved", to: "reserved", by: ["reserve"], isOther: true, ifRepeat: true },
  { from: "in-doubt", to: "reserved", by: ["reserve"], isOther: true, ifRepeat: true },
  { from: "reserved", to: "in-doubt", by: ["release"], ifRepeat: true },
];

/** What was so before a step, and what happened in it. */
interface Step {
  readonly effect: string;
  readonly policy: string;
  /** Whether its job was running in the attempt that has the entry now, and not cancelled; without a job always. */
  readonly mayBegin: boolean;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** The highest fence that the ledger has of removed entries, before and after. */
  readonly fences: readonly [number, number];
  /** Those that Redis ran. */
  readonly scripts: readonly string[];
  /** What the last of them answered, where it is about this effect alone. */
  readonly answer: string;
  readonly now: number;
}

type Rule = readonly [sentence: string, isBroken: (step: Step) => boolean];

const isNew = ({ before, after }: Step) =>
  after !== undefined && before?.reservationId !== after.reservationId;
const stays = ({ before, after }: Step, state: State) => before?.state === state && after?.state === state;
const fenceOf = (entry: Entry | undefined) => Number(entry?.fence ?? 0);

/** What a script may answer only if it is so afterwards. */
const answers: readonly (readonly [answer: RegExp, state: State])[] = [
  [/^released$/, "absent"],
  [/^in-doubt$|^\["in-doubt"\]$|\[\["in-doubt"/, "in-doubt"],
  [/^\["done"\]$|\[\["done"/, "done"],
  [/^\[in-doubt, /, "in-doubt"],
  [/^\[busy, |\[\["busy"|\[\["reserved"/, "reserved"],
];

const rules: readonly Rule[] = [
  [
    "Only the latest attempt of a job that runs, and is not cancelled, begins an effect",
    (step) => step.after?.state === "reserved" && isNew(step) && !step.mayBegin,
  ],
  [
    "Each run has a higher fence than all before, of a ledger that has expired too",
    (step) =>
      isNew(step) &&
      step.after?.state === "reserved" &&
      !(
        fenceOf(step.after) > Math.max(fenceOf(step.before), step.fences[0]) &&
        fenceOf(step.after) >= step.now
      ),
  ],
  [
    "A fence that was given is not forgotten",
    ({ before, after, fences: [was, is] }) =>
      before !== undefined && after === undefined && is < Math.max(was, fenceOf(before)),
  ],
  [
    "What is done stays as it is",
    (step) => stays(step, "done") && JSON.stringify(step.before) !== JSON.stringify(step.after),
  ],
  [
    "A doubt is as old as when it began, and says why",
    (step) =>
      (step.after?.state === "in-doubt" && step.after.reason === undefined) ||
      (stays(step, "in-doubt") && !isNew(step) && step.before?.at !== step.after?.at),
  ],
  [
    "What Redis answers is so",
    ({ answer, after }) =>
      answers.some(([text, state]) => text.test(answer) && state !== (after?.state ?? "absent")),
  ],
  [
    "A sweep leaves nothing reserved past its time",
    ({ scripts, after, now }) =>
      scripts.includes("sweep") && after?.state === "reserved" && now >= (after.deadline ?? now),
  ],
  [
    "Before its time is up, only its own run puts an effect in doubt",
    ({ before, after, scripts, now }) =>
      before?.state === "reserved" &&
      after?.state === "in-doubt" &&
      !scripts.includes("doubt") &&
      !scripts.includes("release") &&
      now < Number(before.deadline),
  ],
  [
    "A repetition counts from the first run",
    (step) =>
      isNew(step) &&
      step.before?.firstAt !== undefined &&
      step.after?.state === "reserved" &&
      step.before.firstAt !== step.after.firstAt,
  ],
];

/** @throws Broken where a rule is broken, or no transition leads from one entry to the other */
export function checkStep(step: Step): void {
  const { effect, policy, before, after, scripts } = step;
  const [from, to] = [before?.state ?? "absent", after?.state ?? "absent"];
  const isOther = isNew(step);
  const what = `${scripts.join(", ") || "nothing"} made ${effect} ${to}${isOther ? " for another run" : ""}, which was ${from}`;
  const broken = rules.find(([, isBroken]) => isBroken(step));
  if (broken !== undefined) throw new Broken(`${broken[0]}. But ${what}.`);
  if (from === to && !isOther) return;
  const allowed = transitions.some(
    (one) =>
      one.from === from &&
      one.to === to &&
      (one.isOther ?? false) === isOther &&
      (one.ifRepeat !== true || policy === "repeat") &&
      one.by.some((script) => scripts.includes(script)),
  );
  if (!allowed) throw new Broken(`The model has no such step. But ${what}.`);
}

type Job = Moment["job"];

/** What these scripts make of a job; of one in any other state nothing. */
const jobs: Readonly<Record<string, Partial<Record<Job, Job>>>> = {
  cancel: { waiting: "failed", delayed: "failed" },
  "retry-job": { failed: "waiting" },
};

/** Whose failed jobs these let go on, once nothing of them is open. */
const goOn: Readonly<Record<string, RegExp>> = {
  resolve: /^(?!CANCELLED)/,
  "ledger-sweep": /^EFFECT_IN_DOUBT/,
};

/** What a job must be of which it is said that this becomes of it once a doubt is resolved. */
const fates: Readonly<Record<string, (before: Moment, after: Moment) => boolean>> = {
  retried: (before, after) => before.job === "failed" && after.job === "waiting",
  "in-doubt": (_, { job, open }) => job === "failed" && open > 0,
  running: (_, { job }) => /waiting|active|delayed/.test(job),
  cancelled: (_, { job, failure }) => job === "failed" && failure.startsWith("CANCELLED"),
  completed: (_, { job }) => job === "completed",
  "next-call": (_, { isGuarded }) => isGuarded,
};

/** @throws Broken where one of these scripts ran in a step, and made something else of the job */
export function checkJobStep(
  before: Moment,
  after: Moment,
  { scripts, answer }: Pick<Step, "scripts" | "answer">,
): void {
  for (const script of scripts) {
    const expected = jobs[script]?.[before.job] ?? before.job;
    if (script in jobs && after.job !== expected)
      throw new Broken(
        `The model has no such step. But ${script} made a job that was ${before.job} ${after.job}.`,
      );
  }
  const fate = /^\[resolved, .*, (.+)\]$/.exec(answer)?.[1];
  if (fate !== undefined && fates[fate]?.(before, after) !== true)
    throw new Broken(
      `What becomes of a job whose doubt is resolved is said as it is. But of one that is ${after.job} it is said: ${fate}.`,
    );
  if (answer === "retried" && before.job !== "failed")
    throw new Broken(
      `Only a failed job is retried. But ${scripts.join()} says so of one that was ${before.job}.`,
    );
  const [by = ""] = scripts.filter((script) => script in goOn);
  if (by === "" || before.job !== "failed" || after.job === "failed") return;
  if (goOn[by]?.test(before.failure) !== true || after.open > 0)
    throw new Broken(
      `A job goes on that was not cancelled, once nothing of it is open. But ${by} let one go on that said ${before.failure}, and ${after.open} effects are open.`,
    );
}

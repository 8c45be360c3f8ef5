import { Broken, type Entry, type Moment } from "./invariants.ts";

/**
 * The ledger as a state machine: what a script may make of an effect's entry. Exploration checks that each step of the real scripts is
 * one of these.
 *
 *   absent ──reserve──▶ reserved ──commit, ledger-sweep──▶ done
 *                          │ └────release──────────────▶ absent
 *                          └──doubt, reserve, left-open, either sweep──▶ in-doubt ──resolve──▶ done, absent
 *
 * What Redis has forgotten is put in doubt by whoever runs it, or is done where its job has completed. Where the policy is to repeat, another run may reserve what is in doubt, or past its deadline.
 */
type State = Entry["state"] | "absent";

/** From one state to another, and the scripts that do it. */
type Transition = readonly [from: State, to: State, by: RegExp];

const transitions: readonly Transition[] = [
  ["reserved", "done", /^(commit|ledger-sweep)$/],
  ["reserved", "absent", /^release$/],
  ["reserved", "in-doubt", /^(doubt|reserve|left-open|ledger-sweep|sweep)$/],
  ["in-doubt", "done", /^resolve$/],
  ["in-doubt", "absent", /^resolve$/],
];

/** For another run. */
const begun: readonly Transition[] = [
  ["absent", "reserved", /^reserve$/],
  ["absent", "in-doubt", /^doubt-forgotten$/],
  ["absent", "done", /^doubt-forgotten$/],
];

/** Where the policy is to repeat, also these. */
const repeated: readonly Transition[] = [["reserved", "in-doubt", /^release$/]];
const begunAgain: readonly Transition[] = [
  ["reserved", "reserved", /^reserve$/],
  ["in-doubt", "reserved", /^reserve$/],
];

/** What was so before a step, and what happened in it. */
export interface Step {
  readonly before: Moment;
  readonly after: Moment;
  /** Those that Redis ran. */
  readonly scripts: readonly string[];
  /** What the last of them answered. */
  readonly answer: string;
  readonly now: number;
}

/** The same for one effect. */
interface EffectStep extends Pick<Step, "scripts" | "answer" | "now"> {
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** Whether it is another run's entry afterwards, and whether that one has just begun. */
  readonly isOther: boolean;
  readonly begins: boolean;
  /** Whether its job was running in the attempt that has the entry now, and not cancelled; without a job always. */
  readonly mayBegin: boolean;
  /** The highest fence that the ledger has of removed entries, before and after. Of one that is gone nothing needs to be known. */
  readonly fences: readonly [number, number];
}

const stays = ({ before, after }: EffectStep, state: State) =>
  before?.state === state && after?.state === state;
const fenceOf = (entry: Entry | undefined) => Number(entry?.fence ?? 0);

/** What a script may answer only if it is so afterwards. */
const answers: readonly (readonly [answer: RegExp, state: State])[] = [
  [/^released$/, "absent"],
  [/^in-doubt$|^\["in-doubt"\]$|\[\["in-doubt"|^\[in-doubt, /, "in-doubt"],
  [/^\["done"\]$|\[\["done"/, "done"],
  [/^\[busy, |\[\["busy"|\[\["reserved"/, "reserved"],
];

/** What each step keeps, and whether one breaks it. */
const rules: Readonly<Record<string, (step: EffectStep) => boolean>> = {
  "Only the latest attempt of a job that runs, and is not cancelled, begins an effect": (step) =>
    step.begins && !step.mayBegin,
  "Each run has a higher fence than all before, of a ledger that has expired too": ({ begins, ...step }) => {
    const [fence, highest] = [fenceOf(step.after), Math.max(fenceOf(step.before), step.fences[0])];
    return begins && !(fence > highest && fence >= step.now);
  },
  "A fence that was given is not forgotten": ({ before, after, fences: [was, is] }) =>
    before !== undefined && after === undefined && is < Math.max(was, fenceOf(before)),
  "What is done stays as it is": (step) =>
    stays(step, "done") && JSON.stringify(step.before) !== JSON.stringify(step.after),
  "A doubt is as old as when it began, and says why": (step) =>
    (step.after?.state === "in-doubt" && step.after.reason === undefined) ||
    (stays(step, "in-doubt") && !step.isOther && step.before?.at !== step.after?.at),
  "What Redis answers is so": ({ answer, after }) =>
    answers.some(([text, state]) => text.test(answer) && state !== (after?.state ?? "absent")),
  "A key is called used only while its effect is known": ({ answer, after }) =>
    /\["reused"/.test(answer) && after === undefined,
  "A sweep leaves nothing reserved past its time": ({ scripts, after, now }) =>
    scripts.includes("sweep") && after?.state === "reserved" && now >= (after.deadline ?? now),
  "Before its time is up, only its own run puts an effect in doubt": ({ before, after, scripts, now }) =>
    before?.state === "reserved" &&
    after?.state === "in-doubt" &&
    !scripts.some((script) => /^(doubt|release)$/.test(script)) &&
    now < Number(before.deadline),
  "A repetition counts from the first run": ({ begins, before, after }) =>
    begins && before?.firstAt !== undefined && before.firstAt !== after?.firstAt,
};

/** @throws Broken where a rule is broken, or no transition leads from one moment to the other */
export function checkStep(step: Step): void {
  checkJobStep(step);
  for (const effect of step.after.effects) checkEffectStep(effect, step);
}

function checkEffectStep(effect: string, { before, after, answer, scripts, now }: Step): void {
  const { given, effects } = after;
  const [was, is] = [before.entries.get(effect), after.entries.get(effect)];
  const [from, to]: [State, State] = [was?.state ?? "absent", is?.state ?? "absent"];
  const isOther = is !== undefined && was?.reservationId !== is.reservationId;
  const runs = before.job === "active" && !before.isCancelled && is?.delivery === before.deliveries;
  const step: EffectStep = {
    ...{ before: was, after: is, scripts, now, isOther },
    begins: isOther && to === "reserved",
    mayBegin: given.isGuarded === true || runs,
    fences: [before.fence ?? 0, after.fence ?? Number.POSITIVE_INFINITY],
    // Of several effects it does not say which.
    answer: effects.length === 1 ? answer : "",
  };
  const what = `${scripts.join(", ") || "nothing"} made ${effect} ${to}${isOther ? " for another run" : ""}, which was ${from}`;
  const broken = Object.entries(rules).find(([, isBroken]) => isBroken(step));
  if (broken !== undefined) throw new Broken(`${broken[0]}. But ${what}.`);
  const hasExpired = before.expires && from === "done" && to === "absent";
  const mayRepeat = given.effects[effect]?.inDoubt === "repeat";
  if (!(hasExpired || isTransition([from, to], isOther, mayRepeat, scripts)))
    throw new Broken(`The model has no such step. But ${what}.`);
}

function isTransition(
  [from, to]: readonly [State, State],
  isOther: boolean,
  mayRepeat: boolean,
  scripts: readonly string[],
): boolean {
  if (from === to && !isOther) return true;
  const always = isOther ? begun : transitions;
  const again = isOther ? begunAgain : repeated;
  return [...always, ...(mayRepeat ? again : [])].some(
    (one) => one[0] === from && one[1] === to && scripts.some((script) => one[2].test(script)),
  );
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
  "next-call": (_, { given }) => given.isGuarded === true,
};

/** Whether an effect was open and is not done. A sweep that lets a completed job go finds first that its last effect is done. */
const leavesOpen = (before: Moment, after: Moment) =>
  [...before.entries].some(
    ([effect, { state }]) => state !== "done" && after.entries.get(effect)?.state !== "done",
  );

/** What each step keeps of the job, and whether one breaks it. */
const jobRules: Readonly<Record<string, (step: Step) => boolean>> = {
  "The model has no such step": ({ before, after, scripts }) =>
    scripts.some((script) => script in jobs && after.job !== (jobs[script]?.[before.job] ?? before.job)),
  "Only a job that has ended goes, and none in doubt": ({ before, after }) =>
    after.job === "gone" &&
    before.job !== "gone" &&
    (!/completed|failed/.test(before.job) || leavesOpen(before, after)),
  "What becomes of a job is said as it is": ({ before, after, answer }) => {
    const fate = /^\[resolved, .*, (.+)\]$/.exec(answer)?.[1];
    return fate !== undefined && fates[fate]?.(before, after) !== true;
  },
  "Whoever has to wait is told for how long": ({ answer }) =>
    /^\[busy, .+, (0|-\d+), \d+\]$|\["busy",(0|-)/.test(answer),
  "Only a failed job is retried": ({ before, answer }) => answer === "retried" && before.job !== "failed",
  "A job goes on that was not cancelled, once nothing of it is open": ({ before, after, scripts }) =>
    before.job === "failed" &&
    !/failed|gone/.test(after.job) &&
    scripts.some((by) => by in goOn && (goOn[by]?.test(before.failure) !== true || after.open > 0)),
};

function checkJobStep(step: Step): void {
  const { before, after, scripts, answer } = step;
  const broken = Object.entries(jobRules).find(([, isBroken]) => isBroken(step));
  if (broken !== undefined)
    throw new Broken(
      `${broken[0]}. But ${scripts.join(", ")} answered ${answer}, and a job is ${after.job} that was ${before.job} ${before.failure}, with ${after.open} open effects.`,
    );
}

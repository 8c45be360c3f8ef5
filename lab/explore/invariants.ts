/**
 * What must hold, whatever happens in whatever order. Each invariant is a sentence, and a function that says how it is broken.
 */

/** What Redis says of an effect. */
export interface Entry {
  readonly state: "reserved" | "in-doubt" | "done";
  readonly reservationId: string;
  readonly fence?: string | number;
  readonly at: number;
  readonly deadline?: number;
  /** Which delivery of its job its attempt is. */
  readonly delivery?: number;
  /** When its first run began, where it may be repeated. */
  readonly firstAt?: number;
  /** Why it is in doubt. */
  readonly reason?: string;
  /** What its run has reported when it was in doubt already. */
  readonly report?: string;
}

/** A moment, as the outside and Redis show it. */
export interface Moment {
  /** The effects of the job. */
  readonly effects: readonly string[];
  /** How often the outside has done each. */
  readonly acts: ReadonlyMap<string, number>;
  /** What the ledger has of each; undefined where it has nothing. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** How many effects the ledger counts as open, and how many jobs. */
  readonly open: number;
  readonly jobsCounted: number;
  /** How often its job, or its effect without a job, is among those at which a sweep looks. */
  readonly looks: number;
  readonly isGuarded: boolean;
  /** The effects that are listed as in doubt. */
  readonly doubts: readonly string[];
  /** None before it is submitted. A guarded effect's is completed once a call has got its result. */
  readonly job: "none" | "waiting" | "active" | "delayed" | "completed" | "failed" | "gone";
  /** Ids of all jobs. */
  readonly jobs: readonly string[];
  /** What others were told that asked something: an id, an outcome, or an error's code. */
  readonly answers: readonly { readonly what: string; readonly text: string }[];
  readonly failure: string;
  readonly mayBeCancelled: boolean;
  /** Whether later attempts do not ask for the effects. */
  readonly isForgetful: boolean;
  /** Whether it has ended, and the retention may have passed since; or Redis has lost what it knew. */
  readonly mayBeForgotten: boolean;
  /** Whether its process may have died, or lost its lock, so that it reports nothing. */
  readonly mayBeAbandoned: boolean;
  /** Whether the job says that it has asked for effects. */
  readonly hasNotedEffects: boolean;
  /** JSON of what the job has returned: a receipt for each effect, or null where nobody knows it. */
  readonly result: string;
  /** Whether the ledger has a time to live, or there is none. */
  readonly expires: boolean;
  /** Whether no fault has come so far, and no time has passed. */
  readonly isCalm: boolean;
  /** The same, but that the outside may have refused, and has said so. */
  readonly isCertain: boolean;
  /** Whether no fault has come so far, and no lock was lost. */
  readonly isTimely: boolean;
  /** Whether an effect in doubt was called done by somebody who did not know its result. */
  readonly wasResolvedBlind: boolean;
}

type Invariant = readonly [sentence: string, brokenBy: (moment: Moment) => string | undefined];

const times = ({ acts }: Moment, effect: string) => acts.get(effect) ?? 0;
const stateOf = ({ entries }: Moment, effect: string) => entries.get(effect)?.state ?? "absent";

const told = ({ answers }: Moment, what: string) =>
  answers.filter((answer) => answer.what === what).map(({ text }) => text);
const idsTold = (moment: Moment, what: string) =>
  told(moment, what).filter((text) => text.includes("_") && !isCode(text));
const isCode = (text: string) => /^[A-Z_]+$/.test(text);
/** Whether it has ended because somebody cancelled it, who may not have learned that. */
const isCancelled = ({ job, failure, mayBeCancelled }: Moment) =>
  mayBeCancelled && job === "failed" && failure.startsWith("CANCELLED");

/** Others wait so much longer than the attempt itself. */
const MARGIN_MS = 1_000;

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

/** What each is answered: an id, a result, an outcome, or an error that says why not. */
const answerOf: Readonly<Record<string, RegExp>> = {
  submit: /^default_|^IDEMPOTENCY_KEY_REUSED$/,
  "submit-other": /^default_|^IDEMPOTENCY_KEY_REUSED$/,
  cancel: /^(cancelled|cancelling|ended)$/,
  retry: /^(retried|not-failed)$/,
  guard: /^\{|^EFFECT_BUSY$/,
};

/** At every moment. */
export const always: readonly Invariant[] = [
  ["An effect acts at most once", eachEffect((moment, effect) => times(moment, effect) > 1)],
  [
    "What the ledger calls done has happened",
    eachEffect((moment, effect) => stateOf(moment, effect) === "done" && times(moment, effect) === 0),
  ],
  [
    "What has happened is not forgotten",
    eachEffect(
      (moment, effect) =>
        times(moment, effect) > 0 && stateOf(moment, effect) === "absent" && !moment.mayBeForgotten,
    ),
  ],
  [
    "A job completes only if its effects have happened",
    eachEffect(
      (moment, effect) => moment.job === "completed" && times(moment, effect) === 0 && !moment.isForgetful,
    ),
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
    "Without a fault, and where the outside says that it has refused, nothing is in doubt",
    eachEffect((moment, effect) => moment.isCertain && stateOf(moment, effect) === "in-doubt"),
  ],
  [
    "Without a fault, and while its lock is kept, nothing is in doubt before its time is up",
    ({ entries, isTimely }) =>
      [...entries.values()].some(
        ({ state, at, deadline = at }) => isTimely && state === "in-doubt" && at < deadline - MARGIN_MS,
      )
        ? "something is"
        : undefined,
  ],
  [
    "A job that says in doubt has a doubt that is listed, or all are resolved",
    ({ job, failure, doubts, open }) =>
      job === "failed" && failure.startsWith("EFFECT_IN_DOUBT") && doubts.length === 0 && open > 0
        ? `none is, and ${open} are open`
        : undefined,
  ],
  [
    "A ledger does not expire while something of it is open, or its job can go on",
    ({ expires, entries, open, job }) =>
      expires && entries.size > 0 && (open > 0 || /waiting|active|delayed|failed/.test(job))
        ? `${open} effects are open, and the job is ${job}`
        : undefined,
  ],
  [
    "An attempt that ends without completing its job leaves nothing reserved, unless its process dies, or it loses its lock",
    eachEffect(
      (moment, effect) =>
        stateOf(moment, effect) === "reserved" &&
        /waiting|delayed|failed/.test(moment.job) &&
        !moment.mayBeAbandoned,
    ),
  ],
  [
    "A job that has begun an effect says so",
    ({ entries, isGuarded, hasNotedEffects, job }) =>
      entries.size > 0 && !isGuarded && !hasNotedEffects && job !== "gone" ? "it does not" : undefined,
  ],
  [
    "The ledger counts its jobs, and a sweep looks at each",
    ({ entries, isGuarded, looks, jobsCounted }) =>
      entries.size > 0 && !isGuarded && looks !== jobsCounted
        ? `it counts ${jobsCounted}, and ${looks} are looked at`
        : undefined,
  ],
  [
    "A sweep looks at each reserved effect that no job runs",
    eachEffect(
      (moment, effect) => moment.isGuarded && stateOf(moment, effect) === "reserved" && moment.looks === 0,
    ),
  ],
  ["An acknowledged job is not lost", ({ job }) => (job === "gone" ? "it is gone" : undefined)],
  ["A key makes one job", ({ jobs }) => (jobs.length > 1 ? `there are ${jobs.join(", ")}` : undefined)],
  [
    "Whoever submits is told the job that there is",
    (moment) =>
      [...idsTold(moment, "submit"), ...idsTold(moment, "submit-other")].find(
        (id) => !moment.jobs.includes(id),
      ),
  ],
  [
    "Other content under a used key is refused",
    (moment) =>
      idsTold(moment, "submit").length > 0 && idsTold(moment, "submit-other").length > 0
        ? "both were accepted"
        : undefined,
  ],
  [
    "Without a fault whoever asks gets an answer",
    ({ isCalm, answers }) =>
      answers.find(({ what, text }) => isCalm && answerOf[what]?.test(text) !== true)?.text,
  ],
  [
    "One of two contents under a key is accepted",
    (moment) =>
      ["submit", "submit-other"].every((what) => told(moment, what).includes("IDEMPOTENCY_KEY_REUSED"))
        ? "both were refused"
        : undefined,
  ],
  [
    "The same request gets the same answer",
    (moment) =>
      ["submit", "submit-other"].find((what) => {
        const answers = told(moment, what).filter((text) => answerOf[what]?.test(text));
        return new Set(answers).size > 1;
      }),
  ],
  [
    "A key is called used only if its job exists",
    (moment) =>
      moment.jobs.length === 0 && moment.answers.some(({ text }) => text === "IDEMPOTENCY_KEY_REUSED")
        ? "there is none"
        : undefined,
  ],
];

/** When everything has gone on as far as it can, no fault has come, and no lock was lost. */
export const atOnce: readonly Invariant[] = [
  [
    "Without a fault the job completes at once, unless it is cancelled, or an effect's time is up",
    (moment) =>
      moment.job === "completed" || isCancelled(moment) || (!moment.isCalm && moment.doubts.length > 0)
        ? undefined
        : `it is ${moment.job}`,
  ],
];

/** When no fault comes any more, a worker runs, and an operator has said the truth of each doubt. */
export const atLast: readonly Invariant[] = [
  [
    "The job completes, unless it is cancelled",
    (moment) =>
      moment.job === "completed" || isCancelled(moment)
        ? undefined
        : `it is ${moment.job}${moment.failure && `: ${moment.failure}`}`,
  ],
  [
    "Each effect has happened once",
    eachEffect(
      (moment, effect) => times(moment, effect) !== 1 && !isCancelled(moment) && !moment.isForgetful,
    ),
  ],
  [
    "What an effect has returned is not lost",
    (moment) => {
      const expected = JSON.stringify({ done: moment.effects });
      const isKept =
        moment.wasResolvedBlind || isCancelled(moment) || moment.isForgetful || moment.result === expected;
      return isKept ? undefined : `the job has returned ${moment.result}`;
    },
  ],
  [
    "A ledger that nobody needs expires",
    (moment) => (moment.expires || isCancelled(moment) ? undefined : "it has no time to live"),
  ],
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

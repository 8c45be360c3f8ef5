import type { JobUnderTest } from "./lib/machine.ts";

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
  /** What its run has reported when it was in doubt already, and whether it has reported that it is over. */
  readonly report?: string;
  readonly isOver?: true;
}

/** What Redis has. */
export interface Seen {
  /** Of all of it. By this digest Redis is brought back to this moment. */
  readonly digest: string;
  /** What the ledger has of each effect; undefined where it has nothing. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** How many effects the ledger counts as open, and how many jobs. */
  readonly open: number;
  readonly jobsCounted: number;
  /** The highest of removed entries; undefined where there is no ledger. */
  readonly fence: number | undefined;
  /** Whether the ledger has a time to live, or there is none. */
  readonly expires: boolean;
  /** How often its job, or its effect without a job, is among those at which a sweep looks. */
  readonly looks: number;
  /** The effects that are listed as in doubt. */
  readonly doubts: readonly string[];
  /** Ids of all jobs. */
  readonly jobs: readonly string[];
  /** None before it is submitted. A guarded effect's is completed once a call has got its result. */
  readonly job: "none" | "waiting" | "active" | "delayed" | "completed" | "failed" | "gone";
  readonly failure: string;
  /** JSON of what the job has returned: a receipt for each effect, or null where nobody knows it. */
  readonly result: string;
  readonly isLocked: boolean;
  readonly isCancelled: boolean;
  /** How often it was delivered to a worker. */
  readonly deliveries: number;
  /** Whether the job says that it has asked for effects. */
  readonly hasNotedEffects: boolean;
}

/** What an order has shown so far, beside what Redis has. */
export interface Past {
  /** Whether an effect in doubt was called done by somebody who did not know its result. */
  readonly wasResolvedBlind: boolean;
  /** Whether a running job had no lock at some moment, or its worker was not told in time that it has it. */
  readonly hasLostLock: boolean;
  /** Whether Redis came back without its last write. */
  readonly hasForgotten: boolean;
}

/** What somebody asked, and was told: an outcome, an id, a result, or an error's code. */
export interface Told {
  readonly what: string;
  readonly text: string;
}

/** A moment, as the outside and Redis show it. */
export interface Moment extends Seen, Past {
  readonly given: JobUnderTest;
  /** The effects of the job. */
  readonly effects: readonly string[];
  /** How often the outside has done each. */
  readonly acts: ReadonlyMap<string, number>;
  readonly answers: readonly Told[];
  /** What is asked in this order at all, by now or later. */
  readonly asked: readonly string[];
  /** Whether some process has died. */
  readonly hasDied: boolean;
  /** Whether no fault has come so far, and no time has passed. */
  readonly isCalm: boolean;
  /** The same, but that the outside may have refused, and has said so. */
  readonly isCertain: boolean;
  /** Whether no fault has come so far, and no lock was lost. */
  readonly isTimely: boolean;
}

/** How it is broken; undefined or false where it holds. */
type Invariant = (moment: Moment) => string | false | undefined;
/** By what must hold. */
type Invariants = Readonly<Record<string, Invariant>>;

const times = ({ acts }: Moment, effect: string) => acts.get(effect) ?? 0;
const stateOf = ({ entries }: Moment, effect: string) => entries.get(effect)?.state ?? "absent";

const told = ({ answers }: Moment, what: string) =>
  answers.filter((answer) => answer.what === what).map(({ text }) => text);
const idsTold = (moment: Moment, what: string) =>
  told(moment, what).filter((text) => text.includes("_") && !/^[A-Z_]+$/.test(text));
/** Whether it has failed because somebody cancelled it, who may not have learned that, or as its handler does. */
const failedRightly = ({ job, failure, given }: Moment) =>
  job === "failed" &&
  ((given.mayBeCancelled === true && failure.startsWith("CANCELLED")) ||
    (given.failsOnce === true && failure.startsWith("PERMANENT_FAILURE")));
/** Whether its handler may return without having asked for each effect. */
const mayLeaveOut = ({ given }: Moment) => given.isForgetful === true || given.calls === "chained";
/** Whether it has ended, and the retention may have passed since. */
const isPast = ({ given, job }: Moment) => given.retentionMs !== undefined && /completed|gone/.test(job);
/** Or Redis has lost what it knew. */
const mayBeForgotten = (moment: Moment) => moment.hasForgotten || isPast(moment);

/** Others wait so much longer than the attempt itself. */
const MARGIN_MS = 1_000;
/** A guard's time counts from when it sent its reservation: Redis may have got that so much later, and no lock says so. */
const UNDER_WAY_MS = 7_000;

/** The first effect that breaks it. */
function eachEffect(isBroken: (moment: Moment, effect: string) => boolean): Invariant {
  return (moment) => {
    const effect = moment.effects.find((one) => isBroken(moment, one));
    if (effect === undefined) return undefined;
    return `${effect}: ${times(moment, effect)} times done, the ledger says ${stateOf(moment, effect)}`;
  };
}

const SUBMITTED = /^default_|^IDEMPOTENCY_KEY_REUSED$/;
const submissions = ["submit", "submit-other"];

const GUARDED = /^\{|^EFFECT_BUSY$|^IDEMPOTENCY_KEY_REUSED$/;

/** What each is answered: an id, a result, an outcome, or an error that says why not. */
const answerOf: Readonly<Record<string, RegExp>> = {
  submit: SUBMITTED,
  "submit-other": SUBMITTED,
  cancel: /^(cancelled|cancelling|ended)$/,
  retry: /^(retried|not-failed)$/,
  guard: GUARDED,
  "guard-other": GUARDED,
  "guard-wait": /^\{/,
  "guard-again": /^\{|^EFFECT_BUSY$/,
};

/** At every moment. */
export const always: Invariants = {
  "An effect acts at most once": eachEffect((moment, effect) => times(moment, effect) > 1),
  "What the ledger calls done has happened": eachEffect(
    (moment, effect) => stateOf(moment, effect) === "done" && times(moment, effect) === 0,
  ),
  "What has happened is not forgotten": eachEffect(
    (moment, effect) =>
      times(moment, effect) > 0 && stateOf(moment, effect) === "absent" && !mayBeForgotten(moment),
  ),
  "A job completes only if its effects have happened": eachEffect(
    (moment, effect) => moment.job === "completed" && times(moment, effect) === 0 && !mayLeaveOut(moment),
  ),
  "A completed job has no effect in doubt": eachEffect(
    (moment, effect) => moment.job === "completed" && stateOf(moment, effect) === "in-doubt",
  ),
  "No effect is begun for a handler that has returned": eachEffect(
    (moment, effect) =>
      moment.job === "completed" && stateOf(moment, effect) === "reserved" && times(moment, effect) === 0,
  ),
  "Each doubt is listed, and nothing else": eachEffect(
    (moment, effect) => moment.doubts.includes(effect) !== (stateOf(moment, effect) === "in-doubt"),
  ),
  "The ledger counts what is open": ({ entries, open }) => {
    const count = [...entries.values()].filter(({ state }) => state !== "done").length;
    return count !== open && `it counts ${open}, and has ${count}`;
  },
  "Without a fault, and where the outside says that it has refused, nothing is in doubt": eachEffect(
    (moment, effect) => moment.isCertain && stateOf(moment, effect) === "in-doubt",
  ),
  "Without a fault, and while its lock is kept, nothing is in doubt before its time is up": ({
    entries,
    isTimely,
    asked,
  }) => {
    const earlyMs = MARGIN_MS + (asked.includes("guard") ? UNDER_WAY_MS : 0);
    const isEarly = [...entries.values()].some(
      ({ state, at, deadline = at }) => isTimely && state === "in-doubt" && at < deadline - earlyMs,
    );
    return isEarly && "something is";
  },
  "A job that says in doubt has a doubt that is listed, or all are resolved": ({
    job,
    failure,
    doubts,
    open,
  }) =>
    job === "failed" &&
    failure.startsWith("EFFECT_IN_DOUBT") &&
    doubts.length === 0 &&
    open > 0 &&
    `none is, and ${open} are open`,
  "A ledger does not expire while something of it is open, or its job can go on": (moment) => {
    const { expires, entries, open, job } = moment;
    const mayGoOn = open > 0 || /waiting|active|delayed|failed/.test(job);
    return expires && entries.size > 0 && mayGoOn && `${open} effects are open, and the job is ${job}`;
  },
  "An attempt that ends without completing its job leaves nothing reserved, unless its process dies, or it loses its lock":
    eachEffect(
      (moment, effect) =>
        stateOf(moment, effect) === "reserved" &&
        /waiting|delayed|failed/.test(moment.job) &&
        !(moment.hasLostLock || moment.hasForgotten || moment.hasDied),
    ),
  "A job that has begun an effect says so": ({ entries, given, hasNotedEffects, job }) =>
    entries.size > 0 && !given.isGuarded && !hasNotedEffects && job !== "gone" && "it does not",
  "The ledger counts its jobs, and a sweep looks at each": ({ entries, given, looks, jobsCounted }) =>
    entries.size > 0 &&
    !given.isGuarded &&
    looks !== jobsCounted &&
    `it counts ${jobsCounted}, and ${looks} are looked at`,
  "A sweep looks at each reserved effect that no job runs": eachEffect(
    (moment, effect) =>
      moment.given.isGuarded === true && stateOf(moment, effect) === "reserved" && moment.looks === 0,
  ),
  "An acknowledged job is not lost": (moment) => moment.job === "gone" && !isPast(moment) && "it is gone",
  "A key makes one job": ({ jobs }) => jobs.length > 1 && `there are ${jobs.join(", ")}`,
  "Whoever submits is told the job that there is": (moment) =>
    submissions.flatMap((what) => idsTold(moment, what)).find((id) => !moment.jobs.includes(id)),
  "Other content under a used key is refused": (moment) =>
    (submissions.every((what) => idsTold(moment, what).length > 0) ||
      ["guard", "guard-other"].every((what) => told(moment, what).some((text) => text.startsWith("{")))) &&
    "both were accepted",
  "Without a fault whoever asks gets an answer": ({ isCalm, answers }) =>
    answers.find(({ what, text }) => isCalm && answerOf[what]?.test(text) !== true)?.text,
  "One of two contents under a key is accepted": (moment) =>
    submissions.every((what) => told(moment, what).includes("IDEMPOTENCY_KEY_REUSED")) && "both were refused",
  "The same request gets the same answer": (moment) =>
    submissions.find((what) => new Set(told(moment, what).filter((text) => SUBMITTED.test(text))).size > 1),
  "A key is called used only where somebody asks for other content": ({ answers, asked }) =>
    answers.some(({ text }) => text === "IDEMPOTENCY_KEY_REUSED") &&
    !asked.some((what) => what.endsWith("-other")) &&
    "nobody does",
  "Whoever calls a guarded effect is told what it has returned, unless somebody called it done who did not know that":
    ({ answers, effects, wasResolvedBlind }) => {
      const results = answers.filter(({ what, text }) => what.startsWith("guard") && text.startsWith("{"));
      const returned = JSON.stringify({ done: effects });
      return results.find(({ text }) => text !== returned && !wasResolvedBlind)?.text;
    },
  // Of a guard's the model asks whether there is an entry: later it may be gone.
  "A key is called used only if its job exists": ({ jobs, answers, given }) =>
    jobs.length === 0 &&
    given.isGuarded !== true &&
    answers.some(({ text }) => text === "IDEMPOTENCY_KEY_REUSED") &&
    "there is none",
};

/** When everything has gone on as far as it can, no fault has come, and no lock was lost. */
export const atOnce: Invariants = {
  "Without a fault the job completes at once, unless it is cancelled, its handler fails, or an effect's time is up":
    (moment) => {
      const isLate = !moment.isCalm && moment.doubts.length > 0;
      // Who retries it may be later than the worker that asks for a job.
      const waits = moment.job === "waiting" && told(moment, "retry").includes("retried");
      const isElse = failedRightly(moment) || isPast(moment) || isLate || waits;
      return moment.job !== "completed" && !isElse && `it is ${moment.job}`;
    },
};

/** When no fault comes any more, a worker runs, and an operator has said the truth of each doubt. */
export const atLast: Invariants = {
  "The job completes, unless it is cancelled, or its handler fails": (moment) =>
    moment.job !== "completed" &&
    !failedRightly(moment) &&
    !isPast(moment) &&
    `it is ${moment.job}: ${moment.failure}`,
  "Each effect has happened once": eachEffect(
    (moment, effect) => times(moment, effect) !== 1 && !failedRightly(moment) && !mayLeaveOut(moment),
  ),
  "What an effect has returned is not lost": (moment) => {
    const isKnown =
      !moment.wasResolvedBlind &&
      !failedRightly(moment) &&
      !isPast(moment) &&
      !mayLeaveOut(moment) &&
      moment.given.calls !== "unawaited";
    const isKept = moment.result === JSON.stringify({ done: moment.effects });
    return isKnown && !isKept && `the job has returned ${moment.result}`;
  },
  "Whoever waits for a guarded effect is not told that it is busy": (moment) =>
    told(moment, "guard-wait").find((text) => text === "EFFECT_BUSY"),
  "A ledger that nobody needs expires": (moment) =>
    !moment.expires && !failedRightly(moment) && "it has no time to live",
  "Nothing stays open": ({ open }) => open > 0 && `${open} effects are open`,
};

export class Broken extends Error {}

/** @throws Broken */
export function check(invariants: Invariants, moment: Moment): void {
  for (const [sentence, brokenBy] of Object.entries(invariants)) {
    const how = brokenBy(moment);
    if (how !== undefined && how !== false) throw new Broken(`${sentence}. But ${how}.`);
  }
}

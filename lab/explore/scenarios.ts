import { EFFECT_MS } from "./lib/machine.ts";
import { JUMP_MS, type Scenario } from "./lib/run.ts";

const hold = { timeoutMs: EFFECT_MS, inDoubt: "hold" } as const;
const repeat = { timeoutMs: EFFECT_MS, inDoubt: "repeat", downstreamRemembersMs: 86_400_000 } as const;
const probe = { timeoutMs: EFFECT_MS, inDoubt: "probe" } as const;
const charge = { charge: hold };
const two = { charge: hold, mail: hold };

/** How many faults come at a time, how often time passes, and how much. */
type Extent = readonly [faults: number, jumps: number, jumpMs?: number];
/** Half a lock, and half an effect's deadline. */
const HALF = 7_000;

/** More than a lock, and less than an effect's deadline. */
const EXPIRED = 12_500;

/** Steps, one behind the other. */
function steps(...texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split("; "));
}

/** @param quick in the tests @param whole in the whole exploration */
function scenario(name: string, quick: Extent, whole: Extent, given: Partial<Scenario> = {}): Scenario {
  const bounds = ([faults, jumps, jumpMs = JUMP_MS]: Extent) => ({ faults, jumps, jumpMs });
  const usual = { job: { effects: charge }, workers: ["w1"], around: ["look"] as const };
  return { name, quick: bounds(quick), whole: bounds(whole), ...usual, ...given };
}

/** With all the faults and the time that its first steps need. */
function broken(name: string, given: Partial<Scenario>, ...texts: readonly string[]): Scenario {
  const after = steps(...texts);
  const jumps = after.filter((label) => label.endsWith(" s pass")).length;
  const faults = after.filter((label) => label.includes(", ")).length;
  return scenario(name, [faults, jumps], [faults + 1, jumps], { around: [], ...given, after });
}

const guarded = { job: { effects: charge, isGuarded: true }, workers: [], around: ["sweep"] } as const;
const submitted = { job: { effects: charge, isSubmitted: false }, workers: [], around: [] } as const;
const cancelled = { effects: charge, mayBeCancelled: true };
const pair = ["w1", "w2"];

const STALLED = "another worker looks for stalled jobs";
const STALLED_TWICE = `${STALLED}; ${STALLED}`;
const BEGUN = "w1: moveToActive; w1: reserve";
/** An effect has happened, and nobody was told so far. */
const ACTED = `${BEGUN}; w1: the outside: charge`;
const RETRIED = "w1: its timer of 20 ms fires";

/** A worker sleeps while another one takes its job over. */
const TAKEN_OVER = `${BEGUN}; 14 s pass; ${STALLED_TWICE}; w2: moveToActive; w2: reserve`;

/** An effect has happened, and its run does not know that. */
const lost = (meanwhile: string) => `${ACTED}, and the answer is lost; ${meanwhile}; ${RETRIED}`;
const DOUBTED = `${lost("14 s pass")}; w1: doubt; w1: run-over; w1: moveToFinished`;

/** A run is over, its doubt is resolved and its job runs again, before Redis gets the same report a second time. */
const LATE_REPORT = steps(
  `${ACTED}, and the request is lost; 14 s pass; ${RETRIED}; w1: doubt`,
  "w1: run-over, and its connection breaks before the reply: it is sent again",
  `op0 looks at charge; op0: resolve; ${STALLED_TWICE}; w2: moveToActive; w2: reserve`,
);

/** Another one does the effect. */
const DONE = "w2: reserve; w2: the outside: charge; w2: commit; w2: left-open; w2: moveToFinished";

const REQUEST_LOST = `${ACTED}, and the request is lost; 14 s pass; ${RETRIED}`;
const LOOKED_AT = `${BEGUN}; 14 s pass; w1: its lock is due for renewal; w1: extendLocks; w1: doubt; op0 looks at charge`;
const EARLY = { asks: { op0: "look-early" } } as const;

/** Half of a lock's time passes, and the lock is renewed. */
const RENEWED = "7 s pass; w1: its lock is due for renewal; w1: extendLocks";

export const scenarios: readonly Scenario[] = [
  scenario("one-worker", [1, 1], [2, 1], { around: [] }),
  scenario("guard", [1, 0], [2, 1], { ...guarded, asks: { c1: "guard", c2: "guard" } }),
  scenario("submit", [1, 0], [2, 0], { ...submitted, asks: { c1: "submit", c2: "submit" } }),
  scenario("submit-other", [0, 0], [2, 0], {
    ...submitted,
    asks: { c1: "submit", c2: "submit", c3: "submit-other" },
  }),
  scenario("cancel", [1, 0], [1, 1], { job: cancelled, asks: { op0: "cancel" } }),
  scenario("early-look", [1, 0], [1, 1], { asks: { op0: "look-early" } }),
  scenario("unsaid-look", [0, 1], [0, 2], {
    asks: { op0: "look-unsaid" },
    around: [],
    after: steps(BEGUN, "14 s pass"),
  }),
  scenario("probe", [0, 1], [1, 1], { job: { effects: { charge: probe } } }),
  scenario("repeat", [0, 1], [1, 2], {
    job: { effects: { charge: repeat } },
    remembersKeys: true,
    workers: pair,
    after: steps(TAKEN_OVER, "w2: the outside: charge"),
  }),
  scenario("repeat-alone", [2, 1, HALF], [3, 2, HALF], {
    job: { effects: { charge: repeat }, swallows: true },
    remembersKeys: true,
    after: steps(lost("7 s pass")),
  }),
  scenario("swallow", [2, 1, HALF], [3, 2, HALF], {
    job: { effects: charge, swallows: true },
    after: steps(lost("7 s pass")),
  }),
  scenario("late-end", [2, 0], [3, 1], { after: steps(ACTED), around: [] }),
  scenario("forgetful", [1, 0], [2, 1], { job: { effects: two, isForgetful: true } }),
  scenario("two-effects", [1, 0], [1, 1], { job: { effects: two } }),
  scenario("at-once", [1, 0], [1, 1], { job: { effects: two, atOnce: true } }),
  scenario("retry", [1, 0], [1, 1], { asks: { op0: "retry" } }),
  scenario("clocks", [0, 0], [1, 1], { wrongClocks: true, workers: pair }),
  scenario("operator", [0, 1], [1, 2], {
    asks: { op0: "look" },
    around: [],
    after: steps(BEGUN, "14 s pass; w1: its lock is due for renewal; w1: extendLocks; w1: doubt"),
  }),
  scenario("operators", [1, 1], [2, 1], {
    job: cancelled,
    asks: { op0: "look", op1: "retry", op2: "cancel" },
    around: [],
    after: steps(DOUBTED),
  }),
  scenario("late-report", [2, 1], [2, 2], {
    asks: { op0: "look", op1: "look" },
    workers: pair,
    after: LATE_REPORT,
  }),
  scenario("guard-operator", [1, 1], [2, 1], { ...guarded, asks: { c1: "guard", op0: "look" } }),
  scenario("two-workers", [0, 0], [1, 1], { workers: pair, after: steps(BEGUN) }),
  // The same in the short form: a lock ends between its worker's reservation and its run.
  scenario("overtaken", [0, 1], [1, 1], { workers: pair, after: steps(BEGUN, "14 s pass") }),
  scenario("sweep", [1, 2], [2, 2], { around: ["sweep"], after: steps(DOUBTED) }),
  scenario("lost-write", [1, 0], [2, 1, HALF], {
    job: { effects: charge, mayLoseWrites: true },
    around: [],
    after: steps(ACTED),
  }),
  scenario("lost-write-late", [4, 1, HALF], [5, 1, HALF], {
    job: { effects: charge, mayLoseWrites: true },
    around: [],
    after: steps(
      `${ACTED}; w1: commit, which Redis refuses for now; w1: moveToFinished, which Redis refuses for now`,
      `Redis comes back without its last write; 7 s pass; ${RETRIED}; w1: commit, which Redis refuses for now`,
    ),
  }),
  scenario("refusals", [1, 1, HALF], [2, 1, HALF], { around: [], after: steps(BEGUN) }),
  scenario("refusals-late", [3, 2, HALF], [4, 2, HALF], {
    job: { effects: two },
    around: [],
    after: steps(
      `${ACTED}; w1: commit, which Redis refuses for now; w1: reserve`,
      `w1: the outside: mail, which the outside refuses; 7 s pass`,
      `${RETRIED}; w1: commit, which Redis refuses for now; ${RETRIED}; w1: release`,
    ),
  }),
  scenario("release-late", [2, 2, HALF], [3, 2, HALF], {
    around: [],
    after: steps(
      `${ACTED}, which the outside refuses; 7 s pass; ${RETRIED}; w1: its lock is due for renewal`,
      "w1: release, which Redis refuses for now; w1: extendLocks",
    ),
  }),
  scenario("renewed", [0, 2, HALF], [1, 2, HALF], {
    job: { effects: two },
    around: [],
    after: steps(BEGUN, RENEWED, "w1: the outside: charge; w1: commit; w1: reserve"),
  }),
  // An attempt has done one effect and reserved the other, and the next one asks for neither.
  scenario("left-open", [1, 3, HALF], [2, 3, HALF], {
    job: { effects: two, isForgetful: true },
    workers: pair,
    after: steps(
      `${ACTED}; w1: commit; 7 s pass; ${STALLED}; w1: reserve; w1 dies; 7 s pass; ${STALLED}`,
      "w2: moveToActive",
    ),
  }),
  scenario("one-slot", [1, 1], [2, 2], {
    workers: pair,
    token: "slot",
    after: steps(`w1: moveToActive; 14 s pass; ${STALLED_TWICE}; w2: moveToActive; w2 dies`),
  }),
  scenario("repeat-at-once", [2, 2, HALF], [3, 2, HALF], {
    job: { effects: { charge: repeat }, retryDelayMs: 0 },
    remembersKeys: true,
    around: [],
    after: steps(
      `${lost("7 s pass")}; w1: doubt; w1: run-over; w1: retryJob`,
      `${ACTED}, which the outside refuses; 7 s pass`,
    ),
  }),
  scenario("probe-late", [0, 1], [1, 2], {
    job: { effects: { charge: probe } },
    workers: pair,
    after: steps(`${TAKEN_OVER}; w2: the outside, asked: charge; w2: resolve; ${DONE}`),
  }),
  scenario("claimed-again", [0, 2], [1, 2], {
    workers: pair,
    after: steps(`${TAKEN_OVER}; w2: moveToFinished; 14 s pass; ${STALLED_TWICE}`),
  }),
  scenario("guard-probe", [0, 1], [1, 1], {
    ...guarded,
    around: [],
    job: { effects: { charge: probe }, isGuarded: true },
    asks: { c1: "guard", c2: "guard" },
    after: steps("c1: calls; c1: reserve; 14 s pass"),
  }),
  scenario("guard-late", [0, 2], [1, 2], {
    ...guarded,
    around: [],
    asks: { c1: "guard", c2: "guard", c3: "guard" },
    after: steps("c1: calls; c1: reserve; 14 s pass; c2: calls; c2: reserve; 14 s pass"),
  }),
  scenario("busy", [1, 1, EXPIRED], [2, 2, EXPIRED], {
    workers: pair,
    after: steps(`${BEGUN}; w1 dies; 12.5 s pass; ${STALLED_TWICE}; w2: moveToActive`),
  }),
  scenario("cancel-abandoned", [1, 2, EXPIRED], [2, 2, EXPIRED], {
    job: cancelled,
    asks: { op0: "cancel", op1: "look-early" },
    around: ["look", "sweep"],
    after: steps(`${BEGUN}; w1 dies; 12.5 s pass; ${STALLED_TWICE}`),
  }),
  scenario("cancel-between", [1, 1], [2, 1], {
    job: cancelled,
    asks: { op0: "cancel" },
    around: ["sweep"],
    after: steps(`${ACTED}, which the outside refuses`),
  }),
  scenario("two-doubts", [2, 1], [3, 1], {
    job: { effects: two, atOnce: true },
    asks: { op0: "look" },
    around: [],
    after: steps(
      `${ACTED}, and the answer is lost; w1: the outside: mail, and the answer is lost; 14 s pass`,
      `${RETRIED}; ${RETRIED}; w1: doubt; w1: doubt; w1: run-over; w1: run-over; w1: moveToFinished`,
    ),
  }),
  // The lock is kept, so that the job fails.
  scenario("one-of-two", [2, 1, HALF], [3, 1, HALF], {
    job: { effects: two, atOnce: true },
    asks: { op0: "look" },
    around: [],
    after: steps(
      `${ACTED}, and the answer is lost; w1: the outside: mail, and the answer is lost; 7 s pass`,
      `${RETRIED}; ${RETRIED}; w1: doubt; w1: doubt; w1: run-over; w1: run-over; w1: moveToFinished`,
    ),
  }),
  // Whoever comes later than the doubt leaves it as old as it is.
  scenario("doubted-before", [1, 2, HALF], [2, 3, HALF], {
    asks: { op1: "retry" },
    around: ["sweep"],
    after: steps(
      `${lost("7 s pass")}; w1: doubt; w1: run-over; w1: moveToFinished`,
      "7 s pass; a sweep; op1: retries by hand; op1: retry-job; w1: moveToActive",
    ),
  }),
  scenario("cancel-resolved", [1, 3, EXPIRED], [2, 3, EXPIRED], {
    job: cancelled,
    asks: { op0: "cancel", op1: "look-early" },
    around: ["look", "sweep"],
    after: steps(
      `${ACTED}; w1 dies; 12.5 s pass; ${STALLED_TWICE}; op0: cancels; op0: cancel; 12.5 s pass; a sweep`,
      "op1 looks at charge; op1: resolve",
    ),
  }),
  scenario("guard-half-time", [0, 1, HALF], [1, 2, HALF], { ...guarded, asks: { c1: "guard", c2: "guard" } }),
  scenario("retention", [0, 1], [1, 1], {
    job: { effects: two, retentionMs: 13_000 },
    around: ["sweep"],
  }),
  scenario("spent", [0, 1], [1, 2, HALF], {
    job: { effects: charge, failsOnce: true, retentionMs: 13_000 },
    asks: { op0: "retry" },
    around: ["sweep"],
    after: steps(`${ACTED}; w1: commit; w1: moveToFinished`),
  }),
  // Two refused reports, and the end of the attempt behind them.
  scenario("spent-late", [3, 2, HALF], [4, 2, HALF], {
    job: { effects: charge, failsOnce: true },
    around: [],
    after: steps(
      `${ACTED}; w1: commit, which Redis refuses for now; w1: moveToFinished, which Redis refuses for now; 7 s pass`,
      `${RETRIED}; w1: commit, which Redis refuses for now; ${RETRIED}`,
    ),
  }),
  // Two calls at once are one.
  scenario("twice-at-once", [1, 0], [1, 1], { job: { effects: charge, calls: "twice", atOnce: true } }),
  scenario("unawaited", [1, 0], [1, 1], { job: { effects: two, calls: "unawaited" }, around: [] }),
  scenario("chained", [1, 0], [1, 1], { job: { effects: two, calls: "chained" }, around: [] }),
  scenario("probe-done", [1, 1, HALF], [3, 2, HALF], {
    job: { effects: { charge: probe }, retryDelayMs: 0 },
    around: [],
    after: steps(`${lost("7 s pass")}; w1: doubt; w1: run-over; w1: retryJob; ${BEGUN}`),
  }),
  scenario("guard-other", [0, 0], [0, 2], {
    ...guarded,
    asks: { c1: "guard", c2: "guard-other" },
    after: steps("c1: calls; c1: reserve"),
  }),
  scenario("guard-wait", [0, 0], [1, 1], {
    ...guarded,
    around: [],
    asks: { c2: "guard-wait", c1: "guard" },
    after: steps("c1: calls; c1: reserve"),
  }),
  scenario("guard-again", [0, 0], [1, 1], {
    ...guarded,
    asks: { c1: "guard-again", c2: "guard" },
    around: [],
  }),
  // What follows is in an order in which a promise was once broken.
  // A reservation whose reply was lost, and whose lock is gone before it is sent again, is given back.
  broken(
    "reply-lost",
    {},
    `${BEGUN}, and its connection breaks before the reply: it is sent again; 14 s pass`,
  ),
  // That a run is over is reported again until Redis takes it.
  broken("over-refused", {}, `${REQUEST_LOST}; w1: doubt; w1: run-over, which Redis refuses for now`),
  // It is reported also where its doubt could not be, since the lock is gone.
  broken("doubt-refused", {}, `${REQUEST_LOST}; w1: doubt, which Redis refuses for now`),
  // A run that succeeds after its time says so, and nobody who looked before it acted is believed.
  broken("acts-after-look", EARLY, `${LOOKED_AT}; w1: the outside: charge; w1: moveToFinished; w1: run-over`),
  // A run that acts and gets no answer after an operator has looked is looked for again.
  broken(
    "lost-after-look",
    EARLY,
    `${LOOKED_AT}; w1: the outside: charge, and the answer is lost; w1: moveToFinished; 14 s pass`,
    `${RETRIED}; w1: moveToActive; w1: run-over`,
  ),
];

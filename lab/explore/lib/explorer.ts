import type { Random } from "../../../test/support/random.ts";
import { always, atLast, atOnce, Broken, check, type Entry, type Moment } from "../invariants.ts";
import { checkStep } from "../model.ts";
import { type Bounds, type Choice, isDone, type Laboratory, Run } from "./run.ts";
import type { Seen } from "./store.ts";
import { type Answer, realNow, world } from "./world.ts";

/** A step that was taken, and those before it. */
interface Taken {
  readonly before: Taken | undefined;
  readonly label: string;
  readonly answer: Answer | undefined;
}

/** A choice that is still to be taken. */
interface Branch {
  readonly path: Taken | undefined;
  readonly label: string;
  readonly seen: Seen;
  readonly wasResolvedBlind: boolean;
}

/** How a promise was broken. */
export interface Violation {
  readonly what: string;
  readonly path: readonly string[];
}

export interface Explored {
  states: number;
  /** Orders that were followed to their end, or to a state that was known. */
  orders: number;
  /** Ends after which everything went on until the job had ended. */
  ends: number;
  steps: number;
  ms: number;
  cpuMs: number;
  isWhole: boolean;
  violation: Violation | undefined;
}

export interface Plan {
  readonly bounds: Bounds;
  /** Ends the exploration. */
  readonly untilMs?: number;
}

/** Follows every order within the bounds, depth first; one that comes to a known state is not followed further. */
export async function explore(lab: Laboratory, plan: Plan): Promise<Explored> {
  const startedAt = realNow();
  const cpu = process.cpuUsage();
  const exploration = new Exploration(lab, plan.bounds);
  const isOver = () => plan.untilMs !== undefined && realNow() - startedAt > plan.untilMs;
  let violation: Violation | undefined;
  try {
    await exploration.run(isOver);
  } catch (error) {
    if (!(error instanceof Violated)) throw error;
    violation = error.violation;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { ...exploration.counts, ms: realNow() - startedAt, cpuMs: (user + system) / 1_000, violation };
}

class Exploration {
  readonly #lab: Laboratory;
  readonly #bounds: Bounds;
  readonly #known = new Set<string>();
  readonly #stack: Branch[] = [];
  /** How many choices are still to be taken from a moment. */
  readonly #pending = new Map<string, number>();
  readonly counts = { states: 0, orders: 0, ends: 0, steps: 0, isWhole: false };

  constructor(lab: Laboratory, bounds: Bounds) {
    this.#lab = lab;
    this.#bounds = bounds;
  }

  async run(isOver: () => boolean): Promise<void> {
    for (let next: Branch | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      await this.#follow(next);
      this.counts.orders += 1;
      next = this.#stack.pop();
      this.counts.isWhole = next === undefined;
      if (isOver()) return;
    }
  }

  /** Goes on from a choice that was left, to the end or to a known state. */
  async #follow(branch: Branch | undefined): Promise<void> {
    const { run, path: before } = await this.#resume(branch);
    let path = before;
    for (let label = branch?.label; ; ) {
      if (label !== undefined) path = await this.#step(run, path, label);
      const key = run.key();
      if (this.#known.has(key)) return;
      this.#known.add(key);
      this.counts.states += 1;
      const [first, ...others] = run.choices();
      // The choices that cost nothing come first.
      const isQuiet = first === undefined || first.faults + first.jumps > 0;
      // Who submits may be later than the worker that asks for a job.
      const isDue = this.#lab.scenario.job.isSubmitted !== false;
      if (isQuiet && isDue && run.isCalm) await holding(path, () => check(atOnce, momentOf(run, run.seen)));
      if (first === undefined) return await this.#end(run, path);
      await this.#leave(run, path, others);
      label = first.label;
    }
  }

  async #resume(branch: Branch | undefined): Promise<{ run: Run; path: Taken | undefined }> {
    const lab = this.#lab;
    const run = await Run.begin(lab, this.#bounds);
    if (branch !== undefined) await replay(run, stepsTo(branch.path));
    run.seen = branch?.seen ?? lab.start;
    run.wasResolvedBlind = branch?.wasResolvedBlind ?? false;
    run.entries = entriesIn(run.seen);
    await lab.store.restore(run.seen, world.now);
    if (branch !== undefined) await this.#letGo(branch.seen, 1);
    return { run, path: branch?.path };
  }

  async #step(run: Run, before: Taken | undefined, label: string): Promise<Taken> {
    const { seen } = run;
    const [answer, after] = await takeStep(run, label);
    this.counts.steps += 1;
    const path = { before, label, answer };
    await holding(path, () => checkMoment(run, seen, after));
    run.seen = after;
    return path;
  }

  async #end(run: Run, path: Taken | undefined): Promise<void> {
    this.counts.ends += 1;
    await holding(path, () => closed(run));
  }

  /** Keeps the other choices for later. */
  async #leave(
    { seen, wasResolvedBlind }: Run,
    path: Taken | undefined,
    others: readonly Choice[],
  ): Promise<void> {
    this.#pending.set(seen.digest, (this.#pending.get(seen.digest) ?? 0) + others.length);
    if (others.length === 0) await this.#letGo(seen, 0);
    for (const { label } of [...others].reverse()) this.#stack.push({ path, label, seen, wasResolvedBlind });
  }

  async #letGo(seen: Seen, count: number): Promise<void> {
    const left = (this.#pending.get(seen.digest) ?? 0) - count;
    this.#pending.set(seen.digest, left);
    if (left > 0 || seen.digest === this.#lab.start.digest) return;
    this.#pending.delete(seen.digest);
    await this.#lab.store.forget(seen);
  }
}

class Violated extends Error {
  readonly violation: Violation;
  constructor(violation: Violation) {
    super(violation.what);
    this.violation = violation;
  }
}

async function holding(path: Taken | undefined, checks: () => void | Promise<void>): Promise<void> {
  try {
    await checks();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new Violated({ what: error.message, path: stepsTo(path).map(({ label }) => label) });
  }
}

function stepsTo(last: Taken | undefined): Taken[] {
  const steps: Taken[] = [];
  for (let step = last; step !== undefined; step = step.before) steps.unshift(step);
  return steps;
}

/** Brings processes to where they were, by what they were told: Redis need not do it again. */
async function replay(run: Run, steps: readonly Taken[]): Promise<void> {
  run.isReplayed = true;
  for (const { label, answer } of steps) await run.take(find(run, label), answer);
  run.isReplayed = false;
}

function find(run: Run, label: string): Choice {
  const choice = run.choices().find((one) => one.label === label);
  if (choice === undefined)
    throw new Error(
      `not repeatable: ${label} is none of ${run
        .choices()
        .map((one) => one.label)
        .join("; ")}`,
    );
  return choice;
}

/** What Redis has is read right behind the step. */
async function takeStep(run: Run, label: string): Promise<[Answer | undefined, Seen]> {
  const choice = find(run, label);
  const taking = run.take(choice);
  // What is more than one command is awaited.
  const seeing = choice.isOneCommand ? run.lab.see() : taking.then(() => run.lab.see());
  return [await taking, await seeing];
}

async function closed(run: Run): Promise<void> {
  const last = await run.close((now) => check(always, momentOf(run, now)));
  check(atLast, momentOf(run, last));
}

function checkMoment(run: Run, before: Seen, seen: Seen): void {
  const { lab, performed: scripts } = run;
  const moment = momentOf(run, seen);
  check(always, moment);
  const past = entriesIn(before);
  const { effects } = lab.scenario.job;
  for (const effect of moment.effects)
    checkStep(
      { effect, policy: effects[effect]?.inDoubt ?? "", mayBegin: mayBegin(lab, before) },
      past.get(effect),
      moment.entries.get(effect),
      scripts,
    );
}

function mayBegin({ scenario }: Laboratory, { state }: Seen): boolean {
  return scenario.job.isGuarded === true || state === "active";
}

function entriesIn({ ledger }: Seen): Map<string, Entry> {
  const found = [...ledger].filter(([field]) => field.startsWith("e:"));
  return new Map(found.map(([field, json]) => [field.slice(2), JSON.parse(json) as Entry]));
}

function momentOf(run: Run, seen: Seen): Moment {
  const { lab } = run;
  const entries = entriesIn(seen);
  for (const [effect, { state, report }] of run.entries)
    if (state === "in-doubt" && report !== "done" && entries.get(effect)?.state === "done")
      run.wasResolvedBlind = true;
  run.entries = entries;
  const { outside } = lab.machine;
  const effects = Object.keys(lab.scenario.job.effects);
  return {
    effects,
    acts: new Map(effects.map((effect) => [effect, outside.timesOf(effect)])),
    entries,
    open: Number(seen.ledger.get("open") ?? 0),
    doubts: seen.doubts.map((member) => member.slice(member.indexOf("/") + 1)),
    ...jobOf(run, seen),
    jobs: seen.jobs,
    answers: [...run.answers.values()],
    failure: seen.failure,
    mayBeCancelled: lab.scenario.job.mayBeCancelled === true,
    isForgetful: lab.scenario.job.isForgetful === true,
    expires: seen.expires || seen.ledger.size === 0,
    isCalm: run.isCalm,
    wasResolvedBlind: run.wasResolvedBlind,
  };
}

/** Who calls a guard gets what a job would return. */
function jobOf({ lab, answers }: Run, { state, result }: Seen): Pick<Moment, "job" | "result"> {
  const { isGuarded } = lab.scenario.job;
  if (isGuarded === true) {
    const done = [...answers.values()].find(isDone);
    return done === undefined ? { job: "none", result: "" } : { job: "completed", result: done.text };
  }
  const isUnknown = lab.id === "" && state === "gone";
  return { job: isUnknown ? "none" : (state as Moment["job"]), result };
}

/** Repeats a path from the beginning; steps that are not possible are left out. @returns how a promise is broken on it */
export async function repeat(
  lab: Laboratory,
  plan: Plan,
  path: readonly string[],
  tell: (line: string) => void = () => {},
): Promise<Violation | undefined> {
  const left = [...path];
  const next = (choices: readonly Choice[]) => {
    const possible = new Set(choices.map(({ label }) => label));
    const at = left.findIndex((label) => possible.has(label));
    return at < 0 ? undefined : left.splice(0, at + 1).at(-1);
  };
  return (await take(lab, plan, next, tell)).violation;
}

const WALK_MAX = 80;
/** How often a walk takes a fault, or lets time pass, where something goes on by itself. */
const COSTLY = 0.15;

/** Takes steps at random, until nothing is possible any more. */
export async function walk(
  lab: Laboratory,
  plan: Plan,
  random: Random,
): Promise<{ readonly steps: number; readonly violation: Violation | undefined }> {
  return await take(lab, plan, (choices, taken) => {
    const free = choices.filter(({ faults, jumps }) => faults + jumps === 0);
    const costly = choices.filter(({ faults, jumps }) => faults + jumps > 0);
    const from = free.length === 0 || (costly.length > 0 && random.next() < COSTLY) ? costly : free;
    return from.length === 0 || taken === WALK_MAX ? undefined : random.pick(from).label;
  });
}

async function take(
  lab: Laboratory,
  plan: Plan,
  next: (choices: readonly Choice[], taken: number) => string | undefined,
  tell: (line: string) => void = () => {},
): Promise<{ steps: number; violation: Violation | undefined }> {
  await lab.store.restore(lab.start, world.startedAt);
  const run = await Run.begin(lab, plan.bounds);
  const done: string[] = [];
  let seen = await lab.see();
  run.seen = seen;
  try {
    for (;;) {
      const label = next(run.choices(), done.length);
      if (label === undefined) break;
      const before = seen;
      const [answer, after] = await takeStep(run, label);
      seen = after;
      run.seen = seen;
      done.push(label);
      tell(`${done.length}. ${label}${answerText(answer)}${changeText(before, after)}`);
      checkMoment(run, before, after);
    }
    await closed(run);
    return { steps: done.length, violation: undefined };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { steps: done.length, violation: { what: error.message, path: done } };
  }
}

function answerText(answer: Answer | undefined): string {
  if (answer === undefined) return "";
  const text = "error" in answer ? answer.error.message : answer.text;
  return ` → ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`;
}

function changeText(before: Seen, after: Seen): string {
  const [was, is] = [entriesIn(before), entriesIn(after)];
  const names = new Set([...was.keys(), ...is.keys()]);
  const changes = [...names]
    .filter((name) => was.get(name)?.state !== is.get(name)?.state)
    .map((name) => `${name} is ${is.get(name)?.state ?? "absent"}`);
  if (before.state !== after.state) changes.push(`the job is ${after.state}`);
  return changes.length === 0 ? "" : `  [${changes.join("; ")}]`;
}

/** Leaves out what the violation does not need. */
export async function shrink(lab: Laboratory, plan: Plan, violation: Violation): Promise<Violation> {
  let shortest = violation;
  for (let isShorter = true; isShorter; ) {
    isShorter = false;
    for (let at = shortest.path.length - 1; at >= 0; at -= 1) {
      const less = shortest.path.filter((_, index) => index !== at);
      const found = await repeat(lab, plan, less);
      if (found === undefined || sentenceOf(found) !== sentenceOf(shortest)) continue;
      shortest = found;
      isShorter = true;
    }
  }
  return shortest;
}

function sentenceOf({ what }: Violation): string {
  return what.split(". But ")[0] ?? what;
}

import type { Random } from "../../../test/support/random.ts";
import { always, atLast, atOnce, Broken, check, type Entry, type Moment } from "../invariants.ts";
import { checkStep } from "../model.ts";
import { differsAt, mutation } from "../mutants/mutation.ts";
import type { Mutant } from "../mutants/places.ts";
import { type Bounds, type Choice, isDone, type Laboratory, Run } from "./run.ts";
import type { Seen } from "./store.ts";
import { type Answer, realNow, world } from "./world.ts";

/** A step that was taken, and those before it. */
interface Taken {
  readonly before: Taken | undefined;
  readonly label: string;
  readonly answer: Answer | undefined;
  readonly depth: number;
}

interface Reached {
  readonly path: Taken | undefined;
  readonly seen: Seen;
  readonly wasResolvedBlind: boolean;
}

/** A choice that is still to be taken; without a label the beginning, or, behind the last step, all that goes on by itself. */
interface Branch extends Reached {
  readonly label: string | undefined;
  /** The key of the state in which it is taken. */
  readonly from: string;
  /** How many steps of its path the mutant has not changed. */
  readonly unchanged: number;
}

interface Edge {
  readonly label: string;
  readonly to: string;
  readonly noted: ReadonlySet<string>;
}

/** What an exploration without a mutant has seen: those with one follow only what is other. */
export class Graph {
  /** By their keys; the first is the beginning. */
  readonly states = new Map<string, Reached & { readonly edges: Edge[]; end?: ReadonlySet<string> }>();
  readonly digests = new Set<string>();
  readonly noted = new Set<string>();

  /** What the code's conditions were since the last step. */
  note(from: string, label: string | undefined, to: string, reached: Reached): void {
    if (!this.states.has(to)) this.states.set(to, { ...reached, edges: [] });
    this.digests.add(reached.seen.digest);
    if (label !== undefined) this.states.get(from)?.edges.push({ label, to, noted: this.#take() });
  }

  noteEnd(of: string): void {
    const state = this.states.get(of);
    if (state !== undefined) state.end = this.#take();
  }

  #take(): ReadonlySet<string> {
    for (const one of mutation.seen) this.noted.add(one);
    return new Set(mutation.seen);
  }
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
  /** Of one without a mutant. With one it is filled before. */
  readonly graph?: Graph;
  readonly mutant?: Mutant;
  /** Follows only about so many states, of branches that are chosen at random. */
  readonly most?: { readonly states: number; readonly random: Random };
}

/** Follows every order within the bounds, depth first; one that comes to a known state is not followed further. */
export async function explore(lab: Laboratory, plan: Plan): Promise<Explored> {
  const startedAt = realNow();
  const cpu = process.cpuUsage();
  const exploration = new Exploration(lab, plan);
  const isOver = () => plan.untilMs !== undefined && realNow() - startedAt > plan.untilMs;
  let violation: Violation | undefined;
  try {
    await exploration.run(isOver);
  } catch (error) {
    if (!(error instanceof Violated)) throw error;
    violation = error.violation;
  } finally {
    mutation.active = undefined;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { ...exploration.counts, ms: realNow() - startedAt, cpuMs: (user + system) / 1_000, violation };
}

class Exploration {
  readonly #lab: Laboratory;
  readonly #plan: Plan;
  readonly #known = new Set<string>();
  readonly #stack: Branch[] = [];
  /** How many choices are still to be taken from a moment. */
  readonly #pending = new Map<string, number>();
  readonly counts = { states: 0, orders: 0, ends: 0, steps: 0, isWhole: false };

  constructor(lab: Laboratory, plan: Plan) {
    this.#lab = lab;
    this.#plan = plan;
    const [beginning = ""] = plan.graph?.states.keys() ?? [];
    const { start: seen } = lab;
    if (plan.mutant !== undefined) this.#goAlong(beginning);
    else
      this.#stack.push({
        path: undefined,
        seen,
        wasResolvedBlind: false,
        label: undefined,
        from: "",
        unchanged: 0,
      });
  }

  async run(isOver: () => boolean): Promise<void> {
    const { most } = this.#plan;
    while (
      this.#stack.length > 0 &&
      !isOver() &&
      this.counts.states < (most?.states ?? Number.POSITIVE_INFINITY)
    ) {
      const at = most?.random.between(0, this.#stack.length - 1) ?? this.#stack.length - 1;
      for (const next of this.#stack.splice(at, 1)) await this.#follow(next);
      this.counts.orders += 1;
    }
    this.counts.isWhole = this.#stack.length === 0;
  }

  /** Goes on from a choice that was left, to the end or to a known state. */
  async #follow(branch: Branch): Promise<void> {
    const run = await this.#resume(branch);
    let { path, from, label } = branch;
    if (label === undefined && from !== "") return await this.#end(run, path, from);
    for (;;) {
      if (label !== undefined) path = await this.#step(run, path, label);
      const key = run.key();
      if (this.#plan.mutant === undefined) this.#plan.graph?.note(from, label, key, reached(run, path));
      if (this.#isKnown(key)) return;
      this.counts.states += 1;
      const [first, ...others] = run.choices();
      if (this.#isSettled(run, first)) await holding(path, () => check(atOnce, momentOf(run, run.seen)));
      if (first === undefined) return await this.#end(run, path, key);
      await this.#leave({ ...branch, ...reached(run, path), from: key }, others);
      [label, from] = [first.label, key];
    }
  }

  #isKnown(key: string): boolean {
    const { graph, mutant } = this.#plan;
    // What a process knows by itself may be other in changed TypeScript.
    const isPlain = mutant?.file.endsWith(".lua") === true && graph?.states.has(key) === true;
    if (isPlain) this.#goAlong(key);
    const isKnown = isPlain || this.#known.has(key);
    this.#known.add(key);
    return isKnown;
  }

  /** The choices that cost nothing come first. Who submits may be later than the worker that asks for a job. */
  #isSettled(run: Run, first: Choice | undefined): boolean {
    const isQuiet = first === undefined || first.faults + first.jumps > 0;
    return isQuiet && this.#lab.scenario.job.isSubmitted !== false && run.isCalm;
  }

  /** Finds where the code goes on otherwise with the mutant, from a state that it does not change. */
  #goAlong(from: string): void {
    const { graph, mutant } = this.#plan;
    if (graph === undefined || mutant === undefined) return;
    const differs = differsAt(mutant);
    const keys = [from];
    for (const key of keys) {
      const state = graph.states.get(key);
      if (state === undefined || this.#known.has(`plain ${key}`)) continue;
      this.#known.add(`plain ${key}`);
      const at = { ...state, from: key, unchanged: state.path?.depth ?? 0 };
      for (const { label, to, noted } of state.edges)
        if (noted.has(differs)) this.#stack.push({ ...at, label });
        else keys.push(to);
      if (state.end?.has(differs) === true) this.#stack.push({ ...at, label: undefined });
    }
  }

  async #resume({ path, seen, wasResolvedBlind, unchanged, from }: Branch): Promise<Run> {
    const lab = this.#lab;
    mutation.active = undefined;
    const run = await Run.begin(lab, this.#plan.bounds);
    const steps = stepsTo(path);
    await replay(run, steps.slice(0, unchanged));
    mutation.active = this.#plan.mutant;
    await replay(run, steps.slice(unchanged));
    run.seen = seen;
    run.wasResolvedBlind = wasResolvedBlind;
    run.entries = entriesIn(seen);
    await lab.store.restore(seen, world.now);
    if (from !== "") await this.#letGo(seen, 1);
    return run;
  }

  async #step(run: Run, before: Taken | undefined, label: string): Promise<Taken> {
    const { seen } = run;
    const depth = (before?.depth ?? 0) + 1;
    const [answer, after] = await takeStep(run, label);
    this.counts.steps += 1;
    const path = { before, label, answer, depth };
    await holding(path, () => {
      checkMoment(run, seen, after);
      if (depth > DEPTH_MAX) throw new Broken(`Every order ends. But one goes on after ${DEPTH_MAX} steps.`);
    });
    run.seen = after;
    return path;
  }

  async #end(run: Run, path: Taken | undefined, key: string): Promise<void> {
    this.counts.ends += 1;
    mutation.seen.clear();
    await holding(path, () => closed(run));
    if (this.#plan.mutant === undefined) this.#plan.graph?.noteEnd(key);
  }

  /** Keeps the other choices for later. */
  async #leave(at: Branch, others: readonly Choice[]): Promise<void> {
    const { digest } = at.seen;
    this.#pending.set(digest, (this.#pending.get(digest) ?? 0) + others.length);
    if (others.length === 0) await this.#letGo(at.seen, 0);
    for (const { label } of [...others].reverse()) this.#stack.push({ ...at, label });
  }

  async #letGo(seen: Seen, count: number): Promise<void> {
    const { digest } = seen;
    const left = (this.#pending.get(digest) ?? 0) - count;
    this.#pending.set(digest, left);
    if (left > 0 || digest === this.#lab.start.digest || this.#plan.graph?.digests.has(digest)) return;
    this.#pending.delete(digest);
    await this.#lab.store.forget(seen);
  }
}

/** More than any order has that ends. */
const DEPTH_MAX = 300;

function reached({ seen, wasResolvedBlind }: Run, path: Taken | undefined): Reached {
  return { path, seen, wasResolvedBlind };
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
  mutation.seen.clear();
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
    mayBeForgotten: lab.scenario.job.retentionMs !== undefined && seen.state === "completed",
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

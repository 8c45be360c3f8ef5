import type { Random } from "../../../test/support/random.ts";
import { always, atLast, atOnce, Broken, check, type Entry, type Moment } from "../invariants.ts";
import { checkJobStep, checkStep } from "../model.ts";
import { differsAt, mutation } from "../mutants/mutation.ts";
import type { Mutant } from "../mutants/places.ts";
import { type Bounds, type Choice, isDone, type Laboratory, LOSS, type Past, Run } from "./run.ts";
import type { Seen } from "./store.ts";
import { type Answer, realNow, world } from "./world.ts";

/** A step that was taken. */
interface Taken {
  readonly label: string;
  readonly answer: Answer | undefined;
}

interface Reached {
  readonly path: readonly Taken[];
  readonly seen: Seen;
  readonly past: Past;
}

/** A choice that is still to be taken; without a label the beginning, or, behind the last step, all that goes on by itself. */
interface Branch extends Reached {
  readonly label: string | undefined;
  /** The key of the state in which it is taken. */
  readonly from: string;
  /** How many steps of its path the mutant has not changed. */
  readonly unchanged: number;
}

interface State extends Reached {
  readonly edges: { readonly label: string; readonly to: string; readonly noted: ReadonlySet<string> }[];
  end?: ReadonlySet<string> | undefined;
}

/** What an exploration without a mutant has seen: those with one follow only what is other. */
export class Graph {
  /** By their keys; the first is the beginning. */
  readonly states = new Map<string, State>();
  readonly noted = new Set<string>();
  /** In the steps with which the scenario begins. */
  atBegin: ReadonlySet<string> = new Set();

  /** What the code's conditions were since the last step. */
  take(): ReadonlySet<string> {
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
  /** Follows only about so many states and ends, of branches that are chosen at random. */
  readonly most?: { readonly states: number; readonly random: Random };
}

/** Follows every order within the bounds, depth first; one that comes to a known state is not followed further. */
export async function explore(lab: Laboratory, plan: Plan): Promise<Explored> {
  const startedAt = realNow();
  let exploration: Exploration | undefined;
  const what = await brokenIn(async () => {
    exploration = new Exploration(lab, plan, await begin(lab, plan));
    await exploration.run(startedAt + (plan.untilMs ?? Number.POSITIVE_INFINITY));
  });
  mutation.active = undefined;
  const path = exploration?.path.map(({ label }) => label) ?? lab.scenario.after ?? [];
  const violation = what === undefined ? undefined : { what, path };
  const counts = exploration?.counts ?? { states: 1, orders: 0, ends: 0, steps: 0, isWhole: false };
  return { ...counts, ms: realNow() - startedAt, violation };
}

interface Begun extends Reached {
  /** Whether the mutant was in it. */
  readonly isOther: boolean;
}

/** Takes the steps with which the scenario begins; with a mutant that matters there as far as they are possible. */
async function begin(lab: Laboratory, { bounds, graph, mutant }: Plan): Promise<Begun> {
  const isOther = mutant !== undefined && graph?.atBegin.has(differsAt(mutant)) === true;
  if (isOther) mutation.active = mutant;
  await lab.store.restore(lab.start, world.startedAt);
  const run = await Run.begin(lab, bounds);
  run.seen = await lab.see();
  const path: Taken[] = [];
  for (const label of lab.scenario.after ?? []) {
    if (isOther && !run.choices().some((one) => one.label === label)) break;
    const before = run.seen;
    const answer = await takeStep(run, label);
    path.push({ label, answer });
    checkMoment(run, before, answer);
    if (graph !== undefined && mutant === undefined)
      graph.atBegin = new Set([...graph.atBegin, ...graph.take()]);
  }
  mutation.active = undefined;
  return { path, seen: run.seen, past: run.past, isOther };
}

async function brokenIn(follow: () => Promise<void>): Promise<string | undefined> {
  try {
    await follow();
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

class Exploration {
  readonly #lab: Laboratory;
  readonly #plan: Plan;
  readonly #known = new Set<string>();
  readonly #stack: Branch[] = [];
  readonly counts = { states: 0, orders: 0, ends: 0, steps: 0, isWhole: false };
  /** Where it is. */
  path: readonly Taken[] = [];

  constructor(lab: Laboratory, plan: Plan, begun: Begun) {
    this.#lab = lab;
    this.#plan = plan;
    const [beginning = ""] = plan.graph?.states.keys() ?? [];
    const unchanged = begun.isOther ? 0 : begun.path.length;
    const start = { ...begun, label: undefined, from: "", unchanged };
    if (plan.mutant === undefined || begun.isOther) this.#stack.push(start);
    else this.#goAlong(beginning);
  }

  async run(until: number): Promise<void> {
    const { states, random } = { states: Number.POSITIVE_INFINITY, random: undefined, ...this.#plan.most };
    const followed = () => this.counts.states + this.counts.ends;
    while (this.#stack.length > 0 && realNow() < until && followed() < states) {
      const last = this.#stack.length - 1;
      for (const next of this.#stack.splice(random?.between(0, last) ?? last, 1)) await this.#follow(next);
      this.counts.orders += 1;
    }
    this.counts.isWhole = this.#stack.length === 0;
  }

  /** Goes on from a choice that was left, to the end or to a known state. */
  async #follow(branch: Branch): Promise<void> {
    const run = await this.#resume(branch);
    let { from, label } = branch;
    if (label === undefined && from !== "") return await this.#end(run, from);
    for (;;) {
      if (label !== undefined) await this.#step(run, label);
      const key = run.key();
      this.#note(run, from, label, key);
      if (this.#isKnown(key)) return;
      this.counts.states += 1;
      const [first, ...others] = run.choices();
      if (this.#isSettled(run, first)) check(atOnce, momentOf(run, run.seen));
      if (first === undefined) return await this.#end(run, key);
      const at = { ...branch, ...this.#reached(run), from: key };
      for (const other of others.reverse()) this.#stack.push({ ...at, label: other.label });
      [label, from] = [first.label, key];
    }
  }

  #reached({ seen, past }: Run): Reached {
    return { path: this.path, seen, past };
  }

  #note(run: Run, from: string, label: string | undefined, to: string): void {
    const { graph, mutant } = this.#plan;
    if (graph === undefined || mutant !== undefined) return;
    if (!graph.states.has(to)) graph.states.set(to, { ...this.#reached(run), edges: [] });
    if (label !== undefined) graph.states.get(from)?.edges.push({ label, to, noted: graph.take() });
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
    return (
      isQuiet &&
      this.#lab.scenario.job.isSubmitted !== false &&
      (run.isCalm || (run.isTimely && run.answers.size === 0))
    );
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
      const at = { ...state, from: key, unchanged: state.path.length };
      for (const { label, to, noted } of state.edges)
        if (noted.has(differs)) this.#stack.push({ ...at, label });
        else keys.push(to);
      if (state.end?.has(differs) === true) this.#stack.push({ ...at, label: undefined });
    }
  }

  async #resume({ path, seen, past, unchanged }: Branch): Promise<Run> {
    mutation.active = undefined;
    const run = await Run.begin(this.#lab, this.#plan.bounds);
    await replay(run, path.slice(0, unchanged));
    mutation.active = this.#plan.mutant;
    await replay(run, path.slice(unchanged));
    Object.assign(run, { seen, past });
    this.path = path;
    await this.#lab.store.restore(seen, world.now);
    return run;
  }

  async #step(run: Run, label: string): Promise<void> {
    const before = run.seen;
    const answer = await takeStep(run, label);
    this.counts.steps += 1;
    this.path = [...this.path, { label, answer }];
    checkMoment(run, before, answer);
    if (this.path.length > DEPTH_MAX)
      throw new Broken(`Every order ends. But one goes on after ${DEPTH_MAX} steps.`);
  }

  async #end(run: Run, key: string): Promise<void> {
    this.counts.ends += 1;
    mutation.seen.clear();
    await closed(run);
    const state = this.#plan.mutant === undefined ? this.#plan.graph?.states.get(key) : undefined;
    if (state !== undefined) state.end = this.#plan.graph?.take();
  }
}

/** More than any order has that ends. */
const DEPTH_MAX = 300;

/** Brings processes to where they were, by what they were told: Redis need not do it again. */
async function replay(run: Run, steps: readonly Taken[]): Promise<void> {
  run.isReplayed = true;
  for (const { label, answer } of steps) await run.take(find(run, label), answer);
  run.isReplayed = false;
}

function find(run: Run, label: string): Choice {
  const choices = run.choices();
  const choice = choices.find((one) => one.label === label);
  if (choice !== undefined) return choice;
  throw new Error(`not repeatable: ${label} is none of ${choices.map((one) => one.label).join("; ")}`);
}

/** What Redis has is read right behind the step. */
async function takeStep(run: Run, label: string): Promise<Answer | undefined> {
  const choice = find(run, label);
  const before = run.seen;
  mutation.seen.clear();
  const taking = run.take(choice);
  // What is more than one command is awaited.
  const seeing = choice.isOneCommand ? run.lab.see() : taking.then(() => run.lab.see());
  const answer = await taking;
  run.seen = await seeing;
  if (run.seen.digest !== before.digest) run.past = { ...run.past, before };
  return answer;
}

async function closed(run: Run): Promise<void> {
  const last = await run.close((now) => check(always, momentOf(run, now)));
  check(atLast, momentOf(run, last));
}

function checkMoment(run: Run, before: Seen, answer: Answer | undefined): void {
  const { lab, seen, performed: scripts } = run;
  const [past, moment] = [momentOf(run, before), momentOf(run, seen)];
  check(always, moment);
  if (scripts.includes(LOSS)) return;
  const said = answer !== undefined && "text" in answer ? answer.text : "";
  checkJobStep(past, moment, { scripts, answer: said });
  const { effects, isGuarded = false } = lab.scenario.job;
  const isAlone = moment.effects.length === 1;
  for (const effect of moment.effects)
    checkStep({
      effect,
      policy: effects[effect]?.inDoubt ?? "",
      mayBegin: isGuarded || mayBegin(before, moment.entries.get(effect)),
      before: past.entries.get(effect),
      after: moment.entries.get(effect),
      fences: [fenceIn(before, 0), fenceIn(seen, Number.POSITIVE_INFINITY)],
      scripts,
      answer: isAlone ? said : "",
      now: world.now,
    });
}

function mayBegin({ state, isCancelled, deliveries }: Seen, entry: Entry | undefined): boolean {
  return state === "active" && !isCancelled && entry?.delivery === deliveries;
}

/** Of a ledger that is gone nothing needs to be known. */
function fenceIn({ ledger }: Seen, ofNone: number): number {
  return ledger.size === 0 ? ofNone : Number(ledger.get("fence") ?? 0);
}

function entriesIn({ ledger }: Seen): Map<string, Entry> {
  const found = [...ledger].filter(([field]) => field.startsWith("e:"));
  return new Map(found.map(([field, json]) => [field.slice(2), JSON.parse(json) as Entry]));
}

function momentOf(run: Run, seen: Seen): Moment {
  const { lab } = run;
  run.past = pastOf(run, seen);
  const { entries, wasResolvedBlind, hasLostLock, hasForgotten } = run.past;
  const { outside } = lab.machine;
  const effects = Object.keys(lab.scenario.job.effects);
  return {
    effects,
    acts: new Map(effects.map((effect) => [effect, outside.timesOf(effect)])),
    entries,
    open: Number(seen.ledger.get("open") ?? 0),
    // Without the field it is one, or none where the ledger expires.
    jobsCounted: Number(seen.ledger.get("jobs") ?? (seen.expires ? 0 : 1)),
    looks: seen.looks,
    isGuarded: lab.scenario.job.isGuarded === true,
    doubts: seen.doubts.map((member) => member.slice(member.indexOf("/") + 1)),
    ...jobOf(run, seen),
    jobs: seen.jobs,
    answers: [...run.answers.values()],
    failure: seen.failure,
    mayBeCancelled: lab.scenario.job.mayBeCancelled === true,
    isForgetful: lab.scenario.job.isForgetful === true,
    mayBeForgotten:
      hasForgotten || (lab.scenario.job.retentionMs !== undefined && seen.state === "completed"),
    mayBeAbandoned: hasLostLock || hasForgotten || run.actors.some(({ isDead }) => isDead),
    hasNotedEffects: seen.hasNotedEffects,
    expires: seen.expires || seen.ledger.size === 0,
    isCalm: run.isCalm,
    isCertain: run.isCertain,
    isTimely: run.isTimely,
    wasResolvedBlind,
  };
}

/** A probe knows the result. */
function pastOf({ lab, past }: Run, seen: Seen): Past {
  const entries = entriesIn(seen);
  const { effects } = lab.scenario.job;
  const isResolvedBlind = [...past.entries].some(
    ([effect, { state, report }]) =>
      state === "in-doubt" &&
      report !== "done" &&
      entries.get(effect)?.state === "done" &&
      effects[effect]?.inDoubt !== "probe",
  );
  return {
    ...past,
    entries,
    wasResolvedBlind: past.wasResolvedBlind || isResolvedBlind,
    hasLostLock: past.hasLostLock || (seen.state === "active" && !seen.isLocked),
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
  run.seen = await lab.see();
  const what = await brokenIn(async () => {
    for (let label = next(run.choices(), 0); label !== undefined; label = next(run.choices(), done.length)) {
      const before = run.seen;
      const answer = await takeStep(run, label);
      done.push(label);
      tell(`${done.length}. ${label}${answerText(answer)}${changeText(before, run.seen)}`);
      checkMoment(run, before, answer);
    }
    await closed(run);
  });
  return { steps: done.length, violation: what === undefined ? undefined : { what, path: done } };
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

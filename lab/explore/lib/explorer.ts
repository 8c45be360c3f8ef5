import type { Random } from "../../../test/support/random.ts";
import { always, atLast, atOnce, Broken, check, type Seen } from "../invariants.ts";
import { checkStep } from "../model.ts";
import { differsAt, mutation } from "../mutants/mutation.ts";
import type { Mutant } from "../mutants/places.ts";
import type { Laboratory } from "./open.ts";
import { type Bounds, type Choice, LOSS, type Reached, Run, type Taken } from "./run.ts";
import { Forecast, keyOf, type Place, type Step } from "./states.ts";
import { type Answer, realNow, world } from "./world.ts";

/** A choice that is still to be taken; without a step the beginning, or, behind the last step, all that goes on by itself. */
interface Branch extends Reached {
  readonly step: Step | undefined;
  /** The key of the state in which it is taken, and that state where no mutant has changed it. */
  readonly from: string;
  readonly place?: Place;
  /** How many steps of its path the mutant has not changed. */
  readonly unchanged: number;
}

interface State extends Reached {
  readonly edges: { readonly label: string; readonly to: string; readonly noted: ReadonlySet<string> }[];
  end?: ReadonlySet<string>;
}

/** What an exploration without a mutant has seen: those with one follow only what is other. */
export class Graph {
  /** By their keys; the first is the beginning. */
  readonly states = new Map<string, State>();
  readonly noted = new Set<string>();
  /** In the steps with which the scenario begins. */
  readonly atBegin = new Set<string>();

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
export async function explore(lab: Laboratory, plan: Plan) {
  const startedAt = realNow();
  const exploration = new Exploration(lab, plan);
  const until = startedAt + (plan.untilMs ?? Number.POSITIVE_INFINITY);
  const what = await brokenIn(() => exploration.run(until));
  mutation.active = undefined;
  const violation = what === undefined ? undefined : { what, path: labelsOf(exploration.at) };
  return { ...exploration.counts, ms: realNow() - startedAt, violation };
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

function labelsOf(run: Run | undefined): string[] {
  return run?.path.map(({ label }) => label) ?? [];
}

class Exploration {
  readonly #lab: Laboratory;
  readonly #plan: Plan;
  /** Without a mutant: filled here. */
  readonly #filled: Graph | undefined;
  /** With a graph each step is taken: what conditions are in it is noted. */
  readonly #forecast: Forecast | undefined;
  readonly #known = new Set<string>();
  readonly #closed = new Set<string>();
  readonly #stack: Branch[] = [];
  /** Orders were followed to their end, or to a state that was known; ends until the job had ended. */
  readonly counts = { states: 0, orders: 0, ends: 0, steps: 0, isWhole: false };
  /** Where it is. */
  at: Run | undefined;

  constructor(lab: Laboratory, plan: Plan) {
    this.#lab = lab;
    this.#plan = plan;
    this.#filled = plan.mutant === undefined ? plan.graph : undefined;
    this.#forecast = plan.graph === undefined ? new Forecast() : undefined;
  }

  async run(until: number): Promise<void> {
    await this.#begin();
    const { states, random } = { states: Number.POSITIVE_INFINITY, random: undefined, ...this.#plan.most };
    const followed = () => this.counts.states + this.counts.ends;
    while (this.#stack.length > 0 && realNow() < until && followed() < states) {
      const last = this.#stack.length - 1;
      for (const next of this.#stack.splice(random?.between(0, last) ?? last, 1))
        if (this.#isForeseen(next)) this.counts.steps += 1;
        else await this.#follow(next);
      this.counts.orders += 1;
    }
    this.counts.isWhole = this.#stack.length === 0;
  }

  /** Takes the steps with which the scenario begins; with a mutant that matters there as far as they are possible. */
  async #begin(): Promise<void> {
    const { graph, mutant, bounds } = this.#plan;
    const isOther = mutant !== undefined && graph?.atBegin.has(differsAt(mutant)) === true;
    if (mutant !== undefined && !isOther) return this.#goAlong([...(graph?.states.keys() ?? [])][0] ?? "");
    mutation.active = mutant;
    this.at = await fromStart(this.#lab, bounds);
    for (const label of this.#lab.scenario.after ?? []) {
      if (isOther && this.at.find(label) === undefined) break;
      await take(this.at, label);
      for (const one of this.#filled?.take() ?? []) this.#filled?.atBegin.add(one);
    }
    mutation.active = undefined;
    const unchanged = isOther ? 0 : this.at.path.length;
    this.#stack.push({ ...reached(this.at), step: undefined, from: "", unchanged });
  }

  /** Whether it is known, without taking it, that nothing new comes of it. */
  #isForeseen({ place, step }: Pick<Branch, "place" | "step">): boolean {
    const ahead = place && step && this.#forecast?.after(place, step);
    return ahead !== undefined && this.#known.has(keyOf(ahead));
  }

  /** Goes on from a choice that was left, to the end or to a known state. */
  async #follow(branch: Branch): Promise<void> {
    const run = await this.#resume(branch);
    let { from, step, place: before } = branch;
    if (step === undefined && from !== "") return await this.#end(run, from);
    for (;;) {
      if (step !== undefined) await this.#step(run, step.label);
      const place = run.place();
      this.#forecast?.learn(before, step, place);
      const key = keyOf(place);
      this.#note(run, from, step?.label, key);
      if (this.#isKnown(key)) return;
      this.counts.states += 1;
      const choices = run.choices();
      if (this.#isSettled(run, choices[0])) check(atOnce, run.moment());
      const next = choices.find((one) => !this.#isForeseen({ place, step: one })) ?? choices[0];
      if (next === undefined) return await this.#end(run, key);
      const at = { ...branch, ...reached(run), from: key, place };
      const others = choices.filter((one) => one !== next).reverse();
      this.#stack.push(...others.map((other) => ({ ...at, step: other })));
      [step, from, before] = [next, key, place];
    }
  }

  #note(run: Run, from: string, label: string | undefined, to: string): void {
    const graph = this.#filled;
    if (graph === undefined) return;
    if (!graph.states.has(to)) graph.states.set(to, { ...reached(run), edges: [] });
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
    const isSubmitted = this.#lab.scenario.job.isSubmitted !== false;
    return isQuiet && isSubmitted && (run.isCalm || (run.isTimely && run.answers.size === 0));
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
        if (noted.has(differs)) this.#stack.push({ ...at, step: { label, faults: 0, jumps: 0 } });
        else keys.push(to);
      if (state.end?.has(differs) === true) this.#stack.push({ ...at, step: undefined });
    }
  }

  async #resume({ path, seen, before, past, unchanged }: Branch): Promise<Run> {
    mutation.active = undefined;
    const run = await Run.begin(this.#lab, this.#plan.bounds);
    this.at = run;
    await replay(run, path.slice(0, unchanged));
    mutation.active = this.#plan.mutant;
    await replay(run, path.slice(unchanged));
    Object.assign(run, { path, seen, before, past });
    void this.#lab.store.restore(seen, world.now);
    return run;
  }

  async #step(run: Run, label: string): Promise<void> {
    this.counts.steps += 1;
    await take(run, label);
    if (run.path.length > DEPTH_MAX)
      throw new Broken(`Every order ends. But one goes on after ${DEPTH_MAX} steps.`);
  }

  async #end(run: Run, key: string): Promise<void> {
    this.counts.ends += 1;
    mutation.seen.clear();
    await close(run, this.#closed);
    const state = this.#filled?.states.get(key);
    if (state !== undefined && this.#filled !== undefined) state.end = this.#filled.take();
  }
}

/** More than any order has that ends. */
const DEPTH_MAX = 300;

function reached({ path, seen, before, past }: Run): Reached {
  return { path, seen, before, past };
}

async function fromStart(lab: Laboratory, bounds: Bounds): Promise<Run> {
  await lab.store.restore(lab.start, world.startedAt);
  const run = await Run.begin(lab, bounds);
  run.saw(await lab.see());
  return run;
}

/** Brings processes to where they were, by what they were told: Redis need not do it again. */
async function replay(run: Run, steps: readonly Taken[]): Promise<void> {
  run.isReplayed = true;
  for (const { label, answer } of steps) await run.take(find(run, label), answer);
  run.isReplayed = false;
}

function find(run: Run, label: string): Choice {
  const choice = run.find(label);
  if (choice !== undefined) return choice;
  const all = run.choices().map((one) => one.label);
  throw new Error(`not repeatable: ${label} is none of ${all.join("; ")}`);
}

type Tell = (label: string, answer: Answer | undefined, before: Seen, after: Seen) => void;

/** Takes a step, and checks what it has made. */
async function take(run: Run, label: string, tell?: Tell): Promise<void> {
  const choice = find(run, label);
  const before = run.moment();
  mutation.seen.clear();
  const taking = run.take(choice);
  // What Redis has is read right behind one command. What is more is awaited.
  const seeing = choice.isOneCommand ? run.see() : taking.then(() => run.see());
  const answer = await taking;
  run.saw(await seeing);
  const after = run.moment();
  tell?.(label, answer, before, after);
  check(always, after);
  const { performed: scripts } = run;
  const said = answer !== undefined && "text" in answer ? answer.text : "";
  if (!scripts.includes(LOSS)) checkStep({ before, after, scripts, answer: said, now: world.now });
}

/** @param known how far others have come that were closed: from there on it is the same */
async function close(run: Run, known = new Set<string>()): Promise<void> {
  const isOver = await run.close((round) => {
    check(always, run.moment());
    return known.size === known.add(`${round} ${keyOf(run.place())}`).size;
  });
  if (isOver) check(atLast, run.moment());
}

/** Repeats a path from the beginning; steps that are not possible are left out. @returns how a promise is broken on it */
export async function repeat(
  lab: Laboratory,
  bounds: Bounds,
  path: readonly string[],
  tell?: (line: string) => void,
): Promise<Violation | undefined> {
  const left = [...path];
  const next = (choices: readonly Choice[]) => {
    const possible = new Set(choices.map(({ label }) => label));
    const at = left.findIndex((label) => possible.has(label));
    return at < 0 ? undefined : left.splice(0, at + 1).at(-1);
  };
  return (await follow(lab, bounds, next, tell)).violation;
}

const WALK_MAX = 80;
/** How often a walk takes a fault, or lets time pass, where something goes on by itself. */
const COSTLY = 0.15;

/** Takes steps at random, until nothing is possible any more. */
export function walk(lab: Laboratory, bounds: Bounds, random: Random) {
  return follow(lab, bounds, (choices, taken) => {
    const free = choices.filter(({ faults, jumps }) => faults + jumps === 0);
    const costly = choices.filter(({ faults, jumps }) => faults + jumps > 0);
    const from = free.length === 0 || (costly.length > 0 && random.next() < COSTLY) ? costly : free;
    return from.length === 0 || taken === WALK_MAX ? undefined : random.pick(from).label;
  });
}

async function follow(
  lab: Laboratory,
  bounds: Bounds,
  next: (choices: readonly Choice[], taken: number) => string | undefined,
  tell?: (line: string) => void,
): Promise<{ steps: number; violation: Violation | undefined }> {
  const run = await fromStart(lab, bounds);
  const ahead = () => next(run.choices(), run.path.length);
  const tellStep: Tell = (label, answer, before, after) =>
    tell?.(`${run.path.length}. ${label}${answerText(answer)}${changeText(before, after)}`);
  const what = await brokenIn(async () => {
    for (let label = ahead(); label !== undefined; label = ahead()) await take(run, label, tellStep);
    await close(run);
  });
  const violation = what === undefined ? undefined : { what, path: labelsOf(run) };
  return { steps: run.path.length, violation };
}

function answerText(answer: Answer | undefined): string {
  if (answer === undefined) return "";
  const text = "error" in answer ? answer.error.message : answer.text;
  return ` → ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`;
}

function changeText(before: Seen, after: Seen): string {
  const stateOf = ({ entries }: Seen, name: string) => entries.get(name)?.state ?? "absent";
  const names = [...new Set([...before.entries.keys(), ...after.entries.keys()])];
  const changes = names
    .filter((name) => stateOf(before, name) !== stateOf(after, name))
    .map((name) => `${name} is ${stateOf(after, name)}`);
  if (before.job !== after.job) changes.push(`the job is ${after.job}`);
  return changes.length === 0 ? "" : `  [${changes.join("; ")}]`;
}

/** Leaves out what the violation does not need. */
export async function shrink(lab: Laboratory, bounds: Bounds, violation: Violation): Promise<Violation> {
  let shortest = violation;
  for (let at = violation.path.length - 1; at >= 0; at -= 1) {
    const less = shortest.path.filter((_, index) => index !== at);
    const found = await repeat(lab, bounds, less);
    if (found !== undefined && sentenceOf(found) === sentenceOf(violation)) shortest = found;
  }
  return shortest === violation ? violation : shrink(lab, bounds, shortest);
}

function sentenceOf({ what }: Violation): string {
  return what.split(". But ")[0] ?? what;
}

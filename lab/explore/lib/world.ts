import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timersPromises from "node:timers/promises";

/** What an actor waits for: one answer of Redis or of the outside. */
export interface Request {
  readonly actor: Actor;
  /** In a story. */
  readonly what: string;
  /** Requests of one line are done in their order: one connection, or one call of the outside. */
  readonly line: object;
  /** Does it, without telling the actor. */
  perform(): Promise<Answer>;
  /** Tells the actor. */
  settle(answer: Answer): void;
}

/** A reply as text is what a story shows. */
export type Answer = { readonly reply: unknown; readonly text: string } | { readonly error: Error };

export interface Timer {
  readonly actor: Actor;
  readonly ms: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
  dueAt: number;
}

/** A process under exploration. It moves only when the explorer answers a request or lets a timer fire. */
export class Actor {
  readonly name: string;
  isDead = false;
  requests: Request[] = [];
  /** Answers of requests that were done, and that it has not got yet. */
  readonly late = new Map<Request, Answer>();
  readonly timers = new Set<Timer>();
  /** Digest of all that it was told: two runs in which it was told the same are at the same place of its code. */
  history = "";
  ids = 0;
  /** By how much its clock is ahead. */
  skewMs = 0;
  /** Whether it learns that its connection broke: its commands are not sent again. */
  readonly failsFast: boolean;

  constructor(name: string, failsFast = false) {
    this.name = name;
    this.failsFast = failsFast;
  }

  told(what: string): void {
    this.history = digest(`${this.history}\n${what}`);
  }

  /** Timers that would do nothing now. */
  isIdle: (timer: Timer) => boolean = () => false;

  /** The first timer that is due, and does something. */
  dueTimer(): Timer | undefined {
    const due = [...this.timers].filter((timer) => timer.dueAt <= world.now && !this.isIdle(timer));
    return due.sort((a, b) => a.dueAt - b.dueAt)[0];
  }

  /** Where in its code it is, as far as it matters for what it does next. */
  place(): string {
    if (this.requests.length + this.timers.size === 0)
      return `${this.name} ${this.isDead ? "died" : "is done"}`;
    const timers = [...this.timers].map(
      ({ ms, dueAt }) => `${ms} ${dueAt <= world.now ? "due" : dueAt - world.now}`,
    );
    const open = this.requests.map((request) => `${request.what}${this.late.has(request) ? " done" : ""}`);
    return [this.name, this.isDead, this.history, this.ids, this.skewMs, ...timers.sort(), ...open].join(
      "\n",
    );
  }

  /** It has nothing under way, and nothing in its memory that another process would not have. */
  forget(): void {
    if (this.requests.length === 0) this.history = "";
  }

  /** Of its requests those remain that it has sent. */
  die(): void {
    this.isDead = true;
    this.timers.clear();
    this.requests = this.requests.filter((request) => !this.late.has(request));
  }

  skew(ms: number): void {
    this.skewMs = ms;
  }

  drop(request: Request): void {
    this.requests = this.requests.filter((other) => other !== request);
    this.late.delete(request);
  }

  fire(timer: Timer): void {
    if (timer.everyMs === undefined) this.timers.delete(timer);
    else timer.dueAt = world.now + timer.everyMs;
    timer.run();
  }
}

export function digest(text: string | Buffer): string {
  return crypto.createHash("sha1").update(text).digest("base64");
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  dateNow: Date.now,
  performanceNow: performance.now.bind(performance),
  pause: timersPromises.setTimeout,
  endOfTurn: timersPromises.setImmediate,
  randomUUID: crypto.randomUUID,
  random: Math.random,
};

/** The time and the chance of all actors. Only one of them runs at a time: `current`. Without one, everything is real. */
export const world = {
  now: 0,
  startedAt: 0,
  current: undefined as Actor | undefined,
  /** Turns that the current actor has asked for. */
  turns: 0,
};

export const realNow = real.performanceNow;

/** Lets an actor run until it waits for nothing but requests and timers. */
export async function letRun(actor: Actor, step: () => void): Promise<void> {
  world.current = actor;
  try {
    step();
    do await new Promise<void>((resolve) => void real.setImmediate(resolve));
    while (world.turns > 0);
  } finally {
    world.current = undefined;
  }
}

/** Timers that BullMQ and promises use only to go on in another turn. */
const NEXT_TURN_MS = 1;

/** Mine for the code under exploration, theirs for everybody else. */
function either<Given extends unknown[]>(
  mine: (actor: Actor, ...given: Given) => unknown,
  theirs: (...given: Given) => unknown,
): (...given: Given) => unknown {
  return (...given) => (world.current === undefined ? theirs(...given) : mine(world.current, ...given));
}

type Run = (...args: unknown[]) => void;
type SetTimer = (run: Run, ms?: number, ...args: unknown[]) => unknown;

/** From now on the time, the timers and the chance of the code under exploration are the world's. */
export function takeOver(): void {
  if (Math.random !== real.random) return;
  const setTimeout = (actor: Actor, run: Run, ms = 0, ...args: unknown[]) =>
    ms <= NEXT_TURN_MS ? nextTurn(() => run(...args)) : setTimer(actor, () => run(...args), ms);
  const setInterval = (actor: Actor, run: Run, ms = 0, ...args: unknown[]) =>
    setTimer(actor, () => run(...args), ms, ms);
  Object.assign(globalThis, {
    setTimeout: either(setTimeout, real.setTimeout as SetTimer),
    setInterval: either(setInterval, real.setInterval as SetTimer),
    clearTimeout: clear,
    clearInterval: clear,
    setImmediate: either((_, run: Run, ...args) => nextTurn(() => run(...args)), real.setImmediate),
  });
  const pause = (actor: Actor, ms?: number, value?: unknown) =>
    new Promise((resolve) => void setTimeout(actor, resolve, ms, value));
  Object.assign(timersPromises, {
    setTimeout: either(pause, real.pause as (ms?: number, value?: unknown) => unknown),
    setImmediate: either(
      (_, value?: unknown) => new Promise((resolve) => nextTurn(() => resolve(value))),
      real.endOfTurn,
    ),
  });
  Object.assign(Date, { now: either((actor) => world.now + actor.skewMs, real.dateNow) });
  Object.assign(performance, { now: either(() => world.now - world.startedAt, real.performanceNow) });
  Object.assign(Math, { random: either(() => 0.5, real.random) });
  // A failed job keeps them, and what is replayed is called from elsewhere.
  Error.stackTraceLimit = 0;
  Object.assign(crypto, { randomUUID: either(nextId, real.randomUUID) });
  syncBuiltinESMExports();
}

function setTimer(actor: Actor, run: () => void, ms: number, everyMs?: number): object {
  const timer: Timer = { actor, ms, everyMs, run, dueAt: world.now + ms };
  actor.timers.add(timer);
  return { ...handle, clear: () => actor.timers.delete(timer) };
}

function nextTurn(run: () => void): object {
  world.turns += 1;
  let next: (() => void) | undefined = run;
  real.setImmediate(() => {
    world.turns -= 1;
    next?.();
  });
  return {
    ...handle,
    clear: () => {
      next = undefined;
    },
  };
}

function nextId(actor: Actor): string {
  const text = `${actor.name}${String(actor.ids).padStart(4, "0")}`;
  actor.ids += 1;
  return `00000000-0000-4000-8000-${Buffer.from(text).toString("hex").padStart(12, "0").slice(-12)}`;
}

const handle = { ref: () => handle, unref: () => handle, hasRef: () => true };

function clear(given: unknown): void {
  if (typeof given === "object" && given !== null && "clear" in given) (given as { clear(): void }).clear();
  else real.clearTimeout(given as NodeJS.Timeout);
}

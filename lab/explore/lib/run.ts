import { resolveDoubt } from "../../../src/core/effect/ledger/resolve-doubt.ts";
import type { Moment, Past, Seen, Told } from "../invariants.ts";
import { faultsOf } from "./faults.ts";
import { type Ask, type Duty, isPoll, type JobUnderTest, LOCK_MS, timerName, work } from "./machine.ts";
import type { Laboratory } from "./open.ts";
import { isOutside, refusal } from "./outside.ts";
import type { Place, Step } from "./states.ts";
import { Actor, type Answer, letRun, type Request, world } from "./world.ts";

/** How far one exploration goes. */
export interface Bounds {
  readonly faults: number;
  /** How often time passes, and how much at once. */
  readonly jumps: number;
  readonly jumpMs: number;
}

type Look = "look" | "look-early" | "look-unsaid";

export interface Scenario {
  readonly name: string;
  readonly job: JobUnderTest;
  /** Whether the outside does nothing for a key that it knows. */
  readonly remembersKeys?: boolean;
  /**
   * What others ask of Holdfast while the processes run, each once at any moment, by their names. An operator who looks does it at an effect
   * in doubt whose run is over; one who looks early, at one in doubt, and also says whether its run might still act, unless "unsaid".
   */
  readonly asks?: Readonly<Record<string, Ask | Look>>;
  /** The steps with which every order begins. The bounds count what they take. */
  readonly after?: readonly string[];
  /** With which all workers claim, as if they were one slot. @default each has its own */
  readonly token?: string;
  /** Whether the clock of a process may be an hour off. */
  readonly wrongClocks?: boolean;
  /** How far it is followed in the tests, and in the whole exploration. */
  readonly quick: Bounds;
  readonly whole: Bounds;
  readonly workers: readonly string[];
  /** What others do beside them. */
  readonly around: readonly Duty[];
}

/** @returns what Redis has answered, if anything */
type Take = (recorded: Answer | undefined) => Promise<unknown>;

/** Something that can happen next. */
export interface Choice extends Step {
  /** Whether what Redis has can be read behind it on the same connection. */
  readonly isOneCommand: boolean;
  /** Its argument is what Redis answered when it was taken before. */
  readonly take: Take;
}

/** A step that was taken. */
export interface Taken {
  readonly label: string;
  readonly answer: Answer | undefined;
}

/** How far a run has come. */
export interface Reached {
  readonly path: readonly Taken[];
  /** What Redis has, and what it had before its last write. */
  readonly seen: Seen;
  readonly before: Seen;
  readonly past: Past;
}

/** One order of steps, from the beginning. */
export class Run implements Reached {
  readonly #lab: Laboratory;
  readonly #scenario: Scenario;
  readonly #bounds: Bounds;
  readonly actors: Actor[] = [];
  path: readonly Taken[] = [];
  seen: Seen;
  before: Seen;
  past: Past = { wasResolvedBlind: false, hasLostLock: false, hasForgotten: false };
  /** What another process may do now. It does each once after time has passed. */
  due: Duty[] = [];
  /** What those that asked were told. */
  readonly answers = new Map<string, Told>();
  /** The scripts that Redis has run in the last step. */
  performed: string[] = [];
  /** Whether Redis is left as it is: what it answered is known. */
  isReplayed = false;
  /** Who has still to ask what. */
  readonly #asksLeft: Map<string, Ask | Look>;
  #faults: number;
  #jumps: number;
  #refusals = 0;

  private constructor(lab: Laboratory, bounds: Bounds) {
    this.#lab = lab;
    this.#scenario = lab.scenario;
    this.#bounds = bounds;
    this.seen = lab.start;
    this.before = lab.start;
    this.#asksLeft = new Map(Object.entries(lab.scenario.asks ?? {}));
    this.#faults = bounds.faults;
    this.#jumps = bounds.jumps;
  }

  static async begin(lab: Laboratory, bounds: Bounds): Promise<Run> {
    const run = new Run(lab, bounds);
    world.now = world.startedAt;
    lab.machine.has.outside.begin();
    await lab.meetJanitors();
    for (const name of lab.scenario.workers) await run.#start(name, ["work"], true);
    return run;
  }

  async #start(name: string, does: readonly Duty[], isAtStart: boolean): Promise<void> {
    const actor = this.#join(new Actor(name));
    const start = () => this.#lab.machine.startWorker(actor, this.#lab.clientOf(actor), does);
    const worker = await this.#lab.alone(actor, start, isAtStart);
    await letRun(actor, () => void work(worker, actor, this.#scenario.token));
  }

  #join(actor: Actor): Actor {
    this.actors.push(actor);
    return actor;
  }

  /** Whether no fault has come so far but that the outside may have refused, and no time has passed. */
  get isCertain(): boolean {
    return this.#faults + this.#refusals === this.#bounds.faults && this.#jumps === this.#bounds.jumps;
  }

  /** Whether it has not refused either. */
  get isCalm(): boolean {
    return this.isCertain && this.#refusals === 0;
  }

  /** Whether no fault has come so far; time may have passed in which the lock was kept. */
  get isTimely(): boolean {
    return this.isCalm || (this.#faults === this.#bounds.faults && !this.past.hasLostLock);
  }

  /** What the invariants are asked about. */
  moment(): Moment {
    const { isCalm, isCertain, isTimely, seen } = this;
    const { job: given } = this.#scenario;
    const { outside } = this.#lab.machine.has;
    const effects = Object.keys(given.effects);
    const answers = [...this.answers.values()];
    // Who calls a guard gets what a job would return.
    const done = answers.find(isDone);
    const ofGuard = done && ({ job: "completed", result: done.text } as const);
    const acts = new Map(effects.map((effect) => [effect, outside.timesOf(effect)]));
    const hasDied = this.actors.some(({ isDead }) => isDead);
    const all = { isCalm, isCertain, isTimely, asked: Object.values(this.#scenario.asks ?? {}) };
    return { ...seen, ...ofGuard, ...this.past, ...all, given, effects, acts, answers, hasDied };
  }

  see(): Promise<Seen> {
    return this.#lab.see();
  }

  /** Notes what Redis has. */
  saw(seen: Seen): void {
    const { wasResolvedBlind, hasLostLock } = this.past;
    // A probe knows the result.
    const isBlind = ([effect, { state, report }]: [string, { state: string; report?: string }]) =>
      state === "in-doubt" &&
      report !== "done" &&
      seen.entries.get(effect)?.state === "done" &&
      this.#scenario.job.effects[effect]?.inDoubt !== "probe";
    this.past = {
      ...this.past,
      wasResolvedBlind: wasResolvedBlind || [...this.seen.entries].some(isBlind),
      hasLostLock: hasLostLock || (seen.job === "active" && !seen.isLocked),
    };
    if (seen.digest !== this.seen.digest) this.before = this.seen;
    this.seen = seen;
  }

  /** What can happen next: what goes on by itself, then faults, then time. */
  choices(): Choice[] {
    const more = { isOneCommand: false };
    const all: Choice[] = this.#movable().flatMap((actor) =>
      this.#of(actor).map((choice) => ({ ...choice, by: actor.name })),
    );
    for (const duty of new Set(this.due))
      all.push({ ...free(dutyName[duty], () => this.#clean(duty)), ...more });
    all.push(...this.#asks().map((ask) => ({ ...ask, ...more })));
    if (this.#mayForget())
      all.push({ ...fault("Redis comes back without its last write", () => this.#forget()), ...more });
    const { jumpMs } = this.#bounds;
    all.push({ ...free(`${jumpMs / 1_000} s pass`, () => this.#pass(jumpMs)), jumps: 1, ...more });
    const affordable = all.filter(({ faults, jumps }) => faults <= this.#faults && jumps <= this.#jumps);
    return affordable.sort((a, b) => a.faults + 2 * a.jumps - (b.faults + 2 * b.jumps));
  }

  find(label: string): Choice | undefined {
    return this.choices().find((one) => one.label === label);
  }

  async take({ label, faults, jumps, take }: Choice, recorded?: Answer): Promise<Answer | undefined> {
    this.#faults -= faults;
    this.#jumps -= jumps;
    this.performed = [];
    const answer = (await take(recorded)) as Answer | undefined;
    this.path = [...this.path, { label, answer }];
    return answer;
  }

  place(): Place {
    const shared = [
      this.seen.digest,
      world.now,
      ...this.#asksLeft.keys(),
      ...[...this.answers].map(([by, { text }]) => `${by} ${text}`).sort(),
      ...Object.values(this.past),
      this.#scenario.job.mayLoseWrites && this.before.digest,
      ...this.due,
      this.#lab.machine.has.outside.place(),
    ];
    const own = new Map(this.actors.map((actor) => [actor.name, actor.place()]));
    const left = { faults: this.#faults, jumps: this.#jumps, isCertain: this.isCertain };
    return { shared: shared.join("\n"), own, ...left };
  }

  /** Only processes that remember more can notice that: they live. */
  #mayForget(): boolean {
    const isRemembered = this.actors.every(({ isDead }) => !isDead);
    const isPossible = this.#scenario.job.mayLoseWrites === true && isRemembered && !this.past.hasForgotten;
    return isPossible && (this.isReplayed || this.before.digest !== this.seen.digest);
  }

  async #forget(): Promise<void> {
    this.performed.push(LOSS);
    if (!this.isReplayed) await this.#lab.store.restore(this.before, world.now);
    this.past = { ...this.past, hasForgotten: true };
  }

  /** Of workers that have done nothing yet, one is like the other. */
  #movable(): readonly Actor[] {
    return this.actors.every(({ history }) => history === "") ? this.actors.slice(0, 1) : this.actors;
  }

  #of(actor: Actor): Choice[] {
    const { requests, name } = actor;
    const heads = requests.filter(({ line }, at) => requests.findIndex((one) => one.line === line) === at);
    if (actor.isDead) return heads.map((request) => this.#orphan(request));
    const choices = heads.flatMap((request) => this.#ofRequest(request));
    const timer = actor.dueTimer();
    if (timer !== undefined)
      choices.push(
        free(`${name}: ${timerName(timer)}`, () => this.#tell(actor, "timer", () => actor.fire(timer))),
      );
    const skew = (ms: number) => async () => actor.skew(ms);
    if (this.#scenario.wrongClocks === true && actor.skewMs === 0)
      choices.push(
        fault(`${name}'s clock is an hour ahead`, skew(HOUR_MS)),
        fault(`${name}'s clock is an hour behind`, skew(-HOUR_MS)),
      );
    if (heads.length > 0 && !this.past.hasForgotten)
      choices.push(fault(`${name} dies`, async () => actor.die()));
    return choices;
  }

  /** What a process had sent when it died. */
  #orphan(request: Request): Choice {
    return free(`what ${request.actor.name} had sent arrives: ${request.what}`, (recorded) => {
      request.actor.drop(request);
      return this.#perform(request, recorded);
    });
  }

  #ofRequest(request: Request): Choice[] {
    const { actor, what } = request;
    const label = `${actor.name}: ${what}`;
    const late = actor.late.get(request);
    if (late !== undefined)
      return [free(`${label}: the late reply comes`, () => this.#settle(request, late))];
    return [
      free(label, async (recorded) => {
        const answer = await this.#perform(request, recorded);
        await this.#settle(request, answer);
        return answer;
      }),
      fault(`${label}, and the reply is late`, async (recorded) => {
        const answer = await this.#perform(request, recorded);
        actor.late.set(request, answer);
        return answer;
      }),
      ...faultsOf(request).map(({ how, isDone, told }) =>
        fault(`${label}, ${how}`, async (recorded) => {
          if (told === refusal) this.#refusals += 1;
          const answer = isDone ? await this.#perform(request, recorded) : undefined;
          if (told !== undefined) await this.#settle(request, told());
          return answer;
        }),
      ),
    ];
  }

  #perform(request: Request, recorded: Answer | undefined): Promise<Answer> {
    this.performed.push(request.what);
    return recorded !== undefined && !isOutside(request) ? Promise.resolve(recorded) : request.perform();
  }

  async #settle(request: Request, answer: Answer): Promise<void> {
    request.actor.drop(request);
    const said = "error" in answer ? answer.error.message : answer.text;
    await this.#tell(request.actor, `${request.what} ${said}`, () => request.settle(answer));
  }

  async #tell(actor: Actor, what: string, step: () => void): Promise<void> {
    actor.told(`${world.now} ${what}`);
    await letRun(actor, step);
  }

  async #pass(ms: number): Promise<void> {
    world.now += ms;
    // Redis may have the lock still, and its worker gives the job up.
    const isUntold = this.actors.some(({ requests }) => requests.some(isRenewal));
    this.past = { ...this.past, hasLostLock: this.past.hasLostLock || isUntold };
    if (!this.isReplayed) await this.#lab.store.pass(ms, world.now);
    // A job counts as stalled at the second look.
    const { around } = this.#scenario;
    this.due = ms < LOCK_MS ? [...around] : [...around, ...around.filter((duty) => duty === "look")];
    // Asking is no step: what Redis answers is.
    for (const actor of this.actors)
      for (const timer of actor.timers)
        if (isPoll(timer) && timer.dueAt <= world.now) await letRun(actor, () => actor.fire(timer));
  }

  /** What others may ask now. Of those that would ask the same, one is like the other. */
  #asks(): Choice[] {
    const asks = [...this.#asksLeft];
    const [effect = ""] = Object.keys(this.#scenario.job.effects);
    return asks.flatMap(([name, what], at) => {
      const isFirst = asks.findIndex(([, other]) => other === what) === at;
      if (!isFirst || !(this.isReplayed || mayAsk(this.seen, what, effect))) return [];
      return isLook(what)
        ? free(`${name} looks at ${effect}`, () => this.#look(name, what, effect))
        : free(`${name}: ${askName[what]}`, () => this.#ask(name, what));
    });
  }

  /** The operator looks what the outside has done, and says so some time later. */
  async #look(name: string, what: Look, effect: string): Promise<void> {
    this.#asksLeft.delete(name);
    const actor = this.#join(new Actor(name, true));
    const mayStillRun = what === "look-early" && !isRunOver(this.seen, effect);
    const say = await this.#operator(actor, effect, mayStillRun, true);
    await this.#tell(actor, this.#truthOf(effect), () => void say().catch(() => {}));
  }

  /** @returns says what the outside has done then */
  async #operator(actor: Actor, effect: string, mayStillRun = false, isAtStart = false) {
    const { machine } = this.#lab;
    const client = this.#lab.clientOf(actor);
    const { store } = await this.#lab.alone(actor, () => machine.connect(client), isAtStart);
    const { HOLDFAST_RETENTION_MS: retentionMs } = machine.has.settings;
    const at = { dedupKey: machine.names.dedupKey, effect };
    return async () => {
      const as = this.#truthOf(effect);
      await resolveDoubt(store, retentionMs, at, { as, evidence: "looked", by: "op", mayStillRun });
    };
  }

  #truthOf(effect: string): "done" | "not-done" {
    return this.#lab.machine.has.outside.timesOf(effect) > 0 ? "done" : "not-done";
  }

  async #ask(name: string, what: Ask): Promise<void> {
    this.#asksLeft.delete(name);
    const actor = this.#join(new Actor(name, true));
    const open = () => this.#lab.machine.openCaller(what, this.#lab.clientOf(actor), name);
    const ask = await this.#lab.alone(actor, open, true);
    const note = (text: string) => this.answers.set(name, { what, text });
    await this.#tell(actor, what, () => void ask(this.#lab.id).then(note));
  }

  async #clean(duty: Duty): Promise<void> {
    this.due = this.due.filter((_, at) => at !== this.due.indexOf(duty));
    if (this.isReplayed) return;
    // Those that look keep apart from each other by a third of a lock, of which nothing is left when one is due.
    await this.#lab.store.redis.del(`${this.#lab.machine.names.start}stalled-check`);
    const sweeps = this.#scenario.job.isGuarded === true ? ["sweep"] : ["ledger-sweep", "trim-expired"];
    this.performed.push(...(duty === "look" ? ["moveStalledJobsToWait"] : sweeps));
    await this.#lab.fireAll(await this.#lab.janitor(duty));
  }

  /**
   * No more faults: a new worker starts, or who wants a guarded effect calls again; everything that waits goes on, time passes, and an
   * operator resolves each doubt with the truth.
   *
   * @param isKnown looks at what Redis has in each round; once it says so, nothing new can come
   * @returns whether it has come to an end
   */
  async close(isKnown: (round: number) => boolean): Promise<boolean> {
    for (const actor of this.actors) if (actor.isDead) actor.requests = [];
    if (this.#scenario.job.isGuarded !== true) await this.#start("h", ["work", "look", "sweep"], false);
    for (let round = 0; round < CLOSING_ROUNDS; round += 1) {
      await this.#askAgain(round);
      await this.#goOn();
      this.saw(await this.see());
      if (isKnown(round)) return false;
      if (this.#isOver()) return true;
      await this.#resolveAll();
      // Locks expire, and nobody sees it.
      this.past = { ...this.past, hasLostLock: true };
      await this.#pass(round === FORGET_ROUND ? FORGOTTEN_MS : JUMP_MS);
      if (round === FORGET_ROUND) await this.#forgetDead();
    }
    return true;
  }

  /** Who wanted something asks again: for a guarded effect in each round. */
  async #askAgain(round: number): Promise<void> {
    const { isGuarded, isSubmitted } = this.#scenario.job;
    if (isGuarded === true) await this.#ask(`h${round}`, "guard");
    if (isSubmitted === false && round === 0) await this.#ask("h0", "submit");
  }

  #isOver(): boolean {
    const { job, failure, expires, doubts, open } = this.seen;
    const hasFailed = job === "failed" && !failure.startsWith("EFFECT_IN_DOUBT");
    const isEnded = (expires && job === "completed") || hasFailed || job === "gone";
    const has = this.#scenario.job.isGuarded === true ? [...this.answers.values()].some(isDone) : isEnded;
    return has && doubts.length === 0 && open === 0;
  }

  /** Everything that is possible without time, in turn. */
  async #goOn(): Promise<void> {
    for (let step = 0; step < CLOSING_STEPS; step += 1) {
      const living = this.actors.filter(({ isDead }) => !isDead);
      const next = living.flatMap((actor) => this.#of(actor)).find(({ faults }) => faults === 0);
      if (next === undefined) return;
      await next.take(undefined);
    }
  }

  /** A probe, and a policy to repeat, need no operator. */
  async #resolveAll(): Promise<void> {
    const { effects } = this.#scenario.job;
    for (const effect of this.seen.doubts.filter((name) => effects[name]?.inDoubt === "hold")) {
      const operator = new Actor("op");
      await this.#lab.alone(operator, await this.#operator(operator, effect));
    }
  }

  async #forgetDead(): Promise<void> {
    const dead = this.actors.filter(({ isDead }) => isDead).map(({ name }) => name);
    const { start } = this.#lab.machine.names;
    if (dead.length > 0) await this.#lab.store.redis.zrem(`${start}workers:seen`, ...dead);
  }
}

/** Longer than a lock, and than an effect's deadline. */
export const JUMP_MS = 14_000;
const CLOSING_ROUNDS = 12;
const CLOSING_STEPS = 200;
/** In this round the workers that have died are forgotten. */
const FORGET_ROUND = 4;
const FORGOTTEN_MS = 11 * 60_000;
const HOUR_MS = 3_600_000;

/** In place of a script. */
export const LOSS = "a loss";

/** Whether an effect is in doubt and its run is over. While it may be under way, whoever looks has to look again. */
function isRunOver({ entries }: Seen, effect: string): boolean {
  const { state, isOver, report } = entries.get(effect) ?? {};
  return state === "in-doubt" && (isOver === true || report !== undefined);
}

function isRenewal({ what }: Request): boolean {
  return what.startsWith("extendLock");
}

/** Whether a call of a guard has got the effect's result. */
function isDone(answer: Told | undefined): boolean {
  return answer?.what.startsWith("guard") === true && answer.text.startsWith("{");
}

const dutyName: Readonly<Record<Duty, string>> = {
  work: "",
  look: "another worker looks for stalled jobs",
  sweep: "a sweep",
};

const askName: Readonly<Record<Ask, string>> = {
  submit: "submits",
  "submit-other": "submits other content",
  cancel: "cancels",
  retry: "retries by hand",
  guard: "calls",
  "guard-other": "calls with other content",
  "guard-wait": "calls, and waits",
  "guard-again": "calls three times",
};

function mayAsk(seen: Seen, what: Ask | Look, effect: string): boolean {
  if (what === "look") return isRunOver(seen, effect);
  return !isLook(what) || seen.doubts.length > 0;
}

function isLook(what: Ask | Look): what is Look {
  return what.startsWith("look");
}

function free(label: string, take: Take): Choice {
  return { ...fault(label, take), faults: 0 };
}

function fault(label: string, take: Take): Choice {
  return { label, faults: 1, jumps: 0, isOneCommand: true, take };
}

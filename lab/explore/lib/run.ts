import type { Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { QueueStore } from "../../../src/core/bullmq/store/queue-store.ts";
import { resolveDoubt } from "../../../src/core/effect/ledger/resolve-doubt.ts";
import type { Entry } from "../invariants.ts";
import { Seam } from "./connection.ts";
import {
  type Ask,
  type Duty,
  isPoll,
  type JobUnderTest,
  LOCK_MS,
  type Machine,
  timerName,
  work,
} from "./machine.ts";
import { isOutside, noAnswer, refusal } from "./outside.ts";
import { scriptName } from "./scripts.ts";
import type { Seen, Store } from "./store.ts";
import { Actor, type Answer, digest, letRun, type Request, world } from "./world.ts";

/** How far one exploration goes. */
export interface Bounds {
  readonly faults: number;
  /** How often time passes. */
  readonly jumps: number;
  /** How much time passes at once. @default as much as ends a lock and an effect's deadline */
  readonly jumpMs?: number;
}

type Asked = Ask | "look" | "look-early" | "look-unsaid";

export interface Scenario {
  readonly name: string;
  readonly job: JobUnderTest;
  /** Whether the outside does nothing for a key that it knows. */
  readonly remembersKeys?: boolean;
  /**
   * What others ask of Holdfast while the processes run, each once at any moment, by their names. An operator who looks does it at an effect
   * in doubt whose run is over; one who looks early, at one in doubt, and also says whether its run might still act, unless "unsaid".
   */
  readonly asks?: Readonly<Record<string, Asked>>;
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

/** What an order has shown so far, beside what Redis has. */
export interface Past {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Whether an effect in doubt was called done by somebody who did not know its result. */
  readonly wasResolvedBlind: boolean;
  /** Whether a running job had no lock at some moment. */
  readonly hasLostLock: boolean;
  /** Whether Redis came back without its last write. */
  readonly hasForgotten: boolean;
  /** What Redis had before its last write. */
  readonly before: Seen;
}

/** What somebody asked, and was told. */
export interface Told {
  readonly what: string;
  /** An outcome, an id or a result, or the code of an error. */
  readonly text: string;
}

/** Something that can happen next. */
export interface Choice {
  readonly label: string;
  readonly faults: number;
  readonly jumps: number;
  /** Whether it is a refusal of the outside, which says that nothing happened. */
  readonly isRefusal?: boolean;
  /** Whether what Redis has can be read behind it on the same connection. */
  readonly isOneCommand: boolean;
  /** @param recorded what Redis answered when it was taken before */
  take(recorded: Answer | undefined): Promise<Answer | undefined>;
}

/** Longer than a lock, and than an effect's deadline. */
export const JUMP_MS = 14_000;

/** Runs are many, connections few: BullMQ defines its scripts on each. */
export class Laboratory {
  readonly store: Store;
  readonly machine: Machine;
  readonly id: string;
  /** With the job submitted, and nothing else. */
  readonly start: Seen;
  readonly scenario: Scenario;
  readonly #seams = new Map<string, Seam>();
  readonly #janitors = new Map<Duty, Actor>();
  readonly #startAnswers = new Map<string, Answer>();

  constructor(store: Store, machine: Machine, id: string, start: Seen, scenario: Scenario) {
    this.store = store;
    this.machine = machine;
    this.id = id;
    this.start = start;
    this.scenario = scenario;
  }

  /** A new connection of a process. */
  async clientOf(actor: Actor): Promise<Redis> {
    const known = this.#seams.get(actor.name);
    const seam = known ?? new Seam(this.store, scriptName);
    if (known === undefined) {
      this.#seams.set(actor.name, seam);
      // BullMQ defines its scripts.
      const first = new Actor(actor.name);
      seam.actor = first;
      if (this.scenario.job.isGuarded !== true)
        await this.alone(first, () => this.machine.startWorker(first, seam.bare, []), true);
    }
    seam.actor = actor;
    return seam.client;
  }

  see(): Promise<Seen> {
    return this.store.see({ ...this.machine.names, id: this.id });
  }

  /** Runs what an actor does alone, and is no step: nothing else happens meanwhile. */
  async alone<T>(actor: Actor, what: () => Promise<T>, isStart = false): Promise<T> {
    let ended: { value: T } | { error: unknown } | undefined;
    await letRun(actor, () => {
      what().then(
        (value) => {
          ended = { value };
        },
        (error: unknown) => {
          ended = { error };
        },
      );
    });
    while (ended === undefined) {
      const request = actor.requests.shift();
      if (request === undefined) throw new Error(`${actor.name} waits for nothing`);
      const answer = isStart ? await this.#answerAtStart(request) : await request.perform();
      await letRun(actor, () => request.settle(answer));
    }
    if ("error" in ended) throw ended.error;
    return ended.value;
  }

  /** Lets a process without a job do what it does from time to time. No step of another process comes between. */
  async fireAll(actor: Actor): Promise<void> {
    for (const timer of [...actor.timers]) await letRun(actor, () => actor.fire(timer));
    for (let request = actor.requests.shift(); request !== undefined; request = actor.requests.shift()) {
      const answer = await request.perform();
      await letRun(actor, () => request?.settle(answer));
    }
  }

  /** A process that has no job in any run, and looks for stalled jobs; one that sweeps is new each time, since it remembers what was due. */
  async janitor(duty: Duty): Promise<Actor> {
    const known = this.#janitors.get(duty);
    if (known !== undefined && duty === "look") return known;
    const actor = new Actor(duty);
    const client = await this.clientOf(actor);
    const start = () =>
      duty === "sweep" ? this.machine.startSweep(client) : this.machine.startWorker(actor, client, [duty]);
    await this.alone<unknown>(actor, start, true);
    this.#janitors.set(duty, actor);
    return actor;
  }

  /** Each process starts on the same Redis. */
  async #answerAtStart(request: Request): Promise<Answer> {
    const known = this.#startAnswers.get(request.what);
    if (known !== undefined) return known;
    // BullMQ asks for the version alone.
    const answer = request.what.startsWith("INFO") ? VERSION : await request.perform();
    this.#startAnswers.set(request.what, answer);
    return answer;
  }
}

const VERSION: Answer = { reply: Buffer.from("redis_version:8.0.0\r\n"), text: "" };

/** One order of steps, from the beginning. */
export class Run {
  readonly lab: Laboratory;
  readonly actors: Actor[] = [];
  readonly #scenario: Scenario;
  readonly #bounds: Bounds;
  faults: number;
  jumps: number;
  past: Past;
  /** What Redis has. */
  seen: Seen;
  /** What another process may do now. It does each once after time has passed. */
  due: Duty[] = [];
  /** Who has still to ask what. */
  readonly #asksLeft: Map<string, Asked>;
  /** What those that asked were told. */
  readonly answers = new Map<string, Told>();
  /** The scripts that Redis has run in the last step. */
  performed: string[] = [];
  /** Whether Redis is left as it is: what it answered is known. */
  isReplayed = false;
  #refusals = 0;

  private constructor(lab: Laboratory, bounds: Bounds) {
    this.#bounds = bounds;
    this.lab = lab;
    this.#scenario = lab.scenario;
    this.seen = lab.start;
    const not = { wasResolvedBlind: false, hasLostLock: false, hasForgotten: false };
    this.past = { ...not, entries: new Map(), before: lab.start };
    this.#asksLeft = new Map(Object.entries(lab.scenario.asks ?? {}));
    this.faults = bounds.faults;
    this.jumps = bounds.jumps;
  }

  static async begin(lab: Laboratory, bounds: Bounds): Promise<Run> {
    const run = new Run(lab, bounds);
    world.now = world.startedAt;
    lab.machine.outside.begin();
    for (const duty of lab.scenario.around) await lab.janitor(duty);
    for (const name of lab.scenario.workers) await run.#start(name, ["work"], true);
    return run;
  }

  async #start(name: string, does: readonly Duty[], isAtStart: boolean): Promise<void> {
    const actor = new Actor(name);
    const client = await this.lab.clientOf(actor);
    const start = () => this.lab.machine.startWorker(actor, client, does);
    const worker: Worker = await this.lab.alone(actor, start, isAtStart);
    this.actors.push(actor);
    if (does.includes("work")) await letRun(actor, () => void work(worker, actor, this.#scenario.token));
  }

  /** Whether no fault has come so far, and no time has passed. */
  get isCalm(): boolean {
    return this.isCertain && this.#refusals === 0;
  }

  /** The same, but that the outside may have refused. */
  get isCertain(): boolean {
    return this.faults + this.#refusals === this.#bounds.faults && this.jumps === this.#bounds.jumps;
  }

  /** The same, but that time may have passed in which the lock was kept. */
  get isTimely(): boolean {
    return this.isCalm || (this.faults === this.#bounds.faults && !this.past.hasLostLock);
  }

  /** What can happen next: what goes on by itself, then faults, then time. */
  choices(): Choice[] {
    const all = this.#movable().flatMap((actor) => this.#of(actor));
    for (const duty of new Set(this.due))
      all.push({
        ...free(duty === "look" ? "another worker looks for stalled jobs" : "a sweep", () =>
          this.#clean(duty),
        ),
        isOneCommand: false,
      });
    all.push(...this.#asks());
    if (this.#mayForget())
      all.push({
        ...fault("Redis comes back without its last write", () => this.#forget()),
        isOneCommand: false,
      });
    const ms = this.#bounds.jumpMs ?? JUMP_MS;
    const label = `${ms / 1_000} s pass`;
    all.push({ label, faults: 0, jumps: 1, isOneCommand: false, take: () => this.#pass(ms) });
    const affordable = all.filter(({ faults, jumps }) => faults <= this.faults && jumps <= this.jumps);
    return affordable.sort((a, b) => a.faults + 2 * a.jumps - (b.faults + 2 * b.jumps));
  }

  #mayForget(): boolean {
    const isPossible = this.#scenario.job.mayLoseWrites === true && !this.past.hasForgotten;
    return isPossible && (this.isReplayed || this.past.before.digest !== this.seen.digest);
  }

  async #forget(): Promise<undefined> {
    this.performed.push(LOSS);
    if (!this.isReplayed) await this.lab.store.restore(this.past.before, world.now);
    this.past = { ...this.past, hasForgotten: true };
    return undefined;
  }

  /** Of workers that have done nothing yet, one is like the other. */
  #movable(): readonly Actor[] {
    const [first, ...others] = this.actors;
    return first?.history === "" && others.every(({ history }) => history === "") ? [first] : this.actors;
  }

  async take(choice: Choice, recorded?: Answer): Promise<Answer | undefined> {
    this.faults -= choice.faults;
    this.jumps -= choice.jumps;
    if (choice.isRefusal === true) this.#refusals += 1;
    this.performed = [];
    return await choice.take(recorded);
  }

  /** Two runs with the same key go on alike. */
  key(): string {
    const actors = this.actors.map((actor) => actor.place());
    return digest(
      [
        this.seen.digest,
        world.now,
        this.faults,
        this.jumps,
        ...this.#asksLeft.keys(),
        ...[...this.answers].map(([by, { text }]) => `${by} ${text}`),
        this.past.wasResolvedBlind,
        this.past.hasLostLock,
        this.past.hasForgotten,
        this.#scenario.job.mayLoseWrites && this.past.before.digest,
        this.isCertain,
        ...this.due,
        this.lab.machine.outside.place(),
        ...actors,
      ].join("\n"),
    );
  }

  #of(actor: Actor): Choice[] {
    const heads = headsOf(actor.requests);
    if (actor.isDead) return heads.map((request) => this.#orphan(request));
    const timer = actor.dueTimer();
    const choices = heads.flatMap((request) => this.#ofRequest(request));
    if (timer !== undefined)
      choices.push(
        free(`${actor.name}: ${timerName(timer)}`, () => this.#tell(actor, "timer", () => actor.fire(timer))),
      );
    if (this.#scenario.wrongClocks === true && actor.skewMs === 0)
      for (const [ms, where] of [
        [HOUR_MS, "ahead"],
        [-HOUR_MS, "behind"],
      ] as const)
        choices.push(
          fault(`${actor.name}'s clock is an hour ${where}`, async () => {
            actor.skewMs = ms;
          }),
        );
    if (heads.length > 0)
      choices.push(
        fault(`${actor.name} dies`, async () => {
          actor.isDead = true;
          actor.timers.clear();
          actor.requests = actor.requests.filter((request) => !actor.late.has(request));
        }),
      );
    return choices;
  }

  /** What a process had sent when it died. */
  #orphan(request: Request): Choice {
    return free(`what ${request.actor.name} had sent arrives: ${request.what}`, async (recorded) => {
      drop(request);
      return await this.#perform(request, recorded);
    });
  }

  #ofRequest(request: Request): Choice[] {
    const { actor, what } = request;
    const late = actor.late.get(request);
    const label = `${actor.name}: ${what}`;
    if (late !== undefined)
      return [free(`${label}: the late reply comes`, () => this.#settle(request, late))];
    const all: Choice[] = [
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
    ];
    return [
      ...all,
      ...(isOutside(request) ? this.#outsideFaults(request, label) : this.#redisFaults(request, label)),
    ];
  }

  #redisFaults(request: Request, label: string): Choice[] {
    const breaks = request.actor.failsFast
      ? [
          fault(`${label}, and its connection breaks before the reply`, async (recorded) => {
            await this.#perform(request, recorded);
            await this.#settle(request, closedConnection());
          }),
          fault(`${label}, but its connection breaks before`, () =>
            this.#settle(request, closedConnection()),
          ),
        ]
      : [
          fault(`${label}, and its connection breaks before the reply: it is sent again`, (recorded) =>
            this.#perform(request, recorded),
          ),
        ];
    return [
      ...breaks,
      fault(`${label}, which Redis refuses for now`, () => this.#settle(request, loading())),
    ];
  }

  #outsideFaults(request: Request, label: string): Choice[] {
    return [
      fault(`${label}, and the answer is lost`, async (recorded) => {
        await this.#perform(request, recorded);
        await this.#settle(request, noAnswer());
        return undefined;
      }),
      fault(`${label}, and the request is lost`, () => this.#settle(request, noAnswer())),
      {
        ...fault(`${label}, which the outside refuses`, () => this.#settle(request, refusal())),
        isRefusal: true,
      },
    ];
  }

  #perform(request: Request, recorded: Answer | undefined): Promise<Answer> {
    this.performed.push(request.what);
    return recorded !== undefined && !isOutside(request) ? Promise.resolve(recorded) : request.perform();
  }

  async #settle(request: Request, answer: Answer): Promise<undefined> {
    drop(request);
    const said = "error" in answer ? answer.error.message : answer.text;
    await this.#tell(request.actor, `${request.what} ${said}`, () => request.settle(answer));
    return undefined;
  }

  async #tell(actor: Actor, what: string, step: () => void): Promise<undefined> {
    actor.told(`${world.now} ${what}`);
    await letRun(actor, step);
    return undefined;
  }

  async #pass(ms: number): Promise<undefined> {
    world.now += ms;
    if (!this.isReplayed) await this.lab.store.pass(ms, world.now);
    // A job counts as stalled at the second look.
    const { around } = this.#scenario;
    this.due = ms < LOCK_MS ? [...around] : [...around, ...around.filter((duty) => duty === "look")];
    // Asking is no step: what Redis answers is.
    for (const actor of this.actors)
      for (const timer of actor.timers)
        if (isPoll(timer) && timer.dueAt <= world.now) await letRun(actor, () => actor.fire(timer));
    return undefined;
  }

  /** What others may ask now. Of those that would ask the same, one is like the other. */
  #asks(): Choice[] {
    const asks = [...this.#asksLeft];
    const first = asks.filter(([, what], at) => asks.findIndex(([, other]) => other === what) === at);
    const [effect = ""] = Object.keys(this.#scenario.job.effects);
    return first
      .filter(([, what]) => this.isReplayed || mayAsk(this.seen, what, effect))
      .map(([name, what]) => ({
        ...(isLook(what)
          ? free(`${name} looks at ${effect}`, () => this.#look(name, what, effect))
          : free(`${name}: ${askName[what]}`, () => this.#ask(name, what))),
        isOneCommand: false,
      }));
  }

  /** The operator looks what the outside has done, and says so some time later. */
  async #look(name: string, what: Asked, effect: string): Promise<undefined> {
    this.#asksLeft.delete(name);
    const { actor, client } = await this.#caller(name);
    const { store } = await this.lab.alone(actor, () => this.lab.machine.connect(client), true);
    const isEarly = what === "look-early" && !isRunOver(this.seen, effect);
    const say = () => void this.#say(store, effect, isEarly).catch(() => {});
    await this.#tell(actor, this.#truthOf(effect), say);
  }

  async #ask(name: string, what: Ask): Promise<undefined> {
    this.#asksLeft.delete(name);
    const { actor, client } = await this.#caller(name);
    const ask = await this.lab.alone(actor, () => this.lab.machine.openCaller(what, client, name), true);
    await this.#tell(
      actor,
      what,
      () => void ask(this.lab.id).then((text) => this.answers.set(name, { what, text })),
    );
  }

  async #caller(name: string) {
    const actor = new Actor(name, true);
    const client = await this.lab.clientOf(actor);
    this.actors.push(actor);
    return { actor, client };
  }

  #truthOf(effect: string): "done" | "not-done" {
    return this.lab.machine.outside.timesOf(effect) > 0 ? "done" : "not-done";
  }

  async #say(store: QueueStore, effect: string, mayStillRun = false): Promise<void> {
    const resolution = { as: this.#truthOf(effect), evidence: "looked", by: "op", mayStillRun };
    const { HOLDFAST_RETENTION_MS: retentionMs } = this.lab.machine.settings;
    const { dedupKey } = this.lab.machine.names;
    await resolveDoubt(store, retentionMs, { dedupKey, effect }, resolution);
  }

  async #clean(duty: Duty): Promise<undefined> {
    this.due = this.due.filter((_, at) => at !== this.due.indexOf(duty));
    if (this.isReplayed) return undefined;
    // Those that look keep apart from each other by a third of a lock, of which nothing is left when one is due.
    await this.lab.store.redis.del(`${this.lab.machine.names.start}stalled-check`);
    const sweep = this.#scenario.job.isGuarded === true ? "sweep" : "ledger-sweep";
    this.performed.push(duty === "look" ? "moveStalledJobsToWait" : sweep);
    await this.lab.fireAll(await this.lab.janitor(duty));
    return undefined;
  }

  /**
   * No more faults: a new worker starts, or who wants a guarded effect calls again; everything that waits goes on, time passes, and an
   * operator resolves each doubt with the truth.
   *
   * @returns what Redis has when the job has ended, or at last
   */
  async close(see: (seen: Seen, what: string) => void): Promise<Seen> {
    for (const actor of this.actors) if (actor.isDead) actor.requests = [];
    if (this.#scenario.job.isGuarded !== true) await this.#start("h", ["work", "look", "sweep"], false);
    let seen = await this.lab.see();
    for (let round = 0; round < CLOSING_ROUNDS; round += 1) {
      await this.#askAgain(round);
      await this.#goOn();
      seen = await this.lab.see();
      see(seen, `round ${round}`);
      if (this.#isOver(seen, round)) break;
      await this.#resolveAll(seen.doubts);
      // Locks expire, and nobody sees it.
      this.past = { ...this.past, hasLostLock: true };
      await this.#pass(round === FORGET_ROUND ? FORGOTTEN_MS : JUMP_MS);
      if (round === FORGET_ROUND) await this.#forgetDead();
    }
    return seen;
  }

  /** Who wanted something asks again: for a guarded effect in each round. */
  async #askAgain(round: number): Promise<void> {
    const { isGuarded, isSubmitted } = this.#scenario.job;
    if (isGuarded === true) await this.#ask(`h${round}`, "guard");
    if (isSubmitted === false && round === 0) await this.#ask("h0", "submit");
  }

  #isOver(seen: Seen, round: number): boolean {
    if (this.#scenario.job.isGuarded !== true) return isOver(seen);
    return isDone(this.answers.get(`h${round}`)) && isQuiet(seen);
  }

  /** Everything that is possible without time, in turn. */
  async #goOn(): Promise<void> {
    for (let step = 0; step < CLOSING_STEPS; step += 1) {
      const next = this.actors
        .flatMap((actor) => (actor.isDead ? [] : this.#of(actor)))
        .find(({ faults }) => faults === 0);
      if (next === undefined) return;
      await next.take(undefined);
    }
  }

  /** A probe, and a policy to repeat, need no operator. */
  async #resolveAll(doubts: readonly string[]): Promise<void> {
    const { effects } = this.#scenario.job;
    const names = doubts.map((doubt) => doubt.slice(doubt.indexOf("/") + 1));
    for (const name of names) if (effects[name]?.inDoubt === "hold") await this.#resolve(name);
  }

  async #resolve(effect: string): Promise<void> {
    const operator = new Actor("op");
    const client = await this.lab.clientOf(operator);
    await this.lab.alone(operator, async () => {
      const { store } = await this.lab.machine.connect(client);
      await this.#say(store, effect);
    });
  }

  async #forgetDead(): Promise<void> {
    const dead = this.actors.filter(({ isDead }) => isDead).map(({ name }) => name);
    const { start } = this.lab.machine.names;
    if (dead.length > 0) await this.lab.store.redis.zrem(`${start}workers:seen`, ...dead);
  }
}

const CLOSING_ROUNDS = 12;
const CLOSING_STEPS = 200;
/** In this round the workers that have died are forgotten. */
const FORGET_ROUND = 4;
const FORGOTTEN_MS = 11 * 60_000;

/** Whether an effect is in doubt and its run is over. While it may be under way, whoever looks has to look again. */
function isRunOver({ ledger }: Seen, effect: string): boolean {
  const entry = JSON.parse(ledger.get(`e:${effect}`) ?? "{}") as {
    state?: string;
    isOver?: true;
    report?: string;
  };
  return entry.state === "in-doubt" && (entry.isOver === true || entry.report !== undefined);
}

function isOver(seen: Seen): boolean {
  const isCancelled = seen.state === "failed" && seen.failure.startsWith("CANCELLED");
  const expires = seen.expires || seen.ledger.size === 0;
  return ((expires && seen.state === "completed") || isCancelled) && isQuiet(seen);
}

function isQuiet({ doubts, ledger }: Seen): boolean {
  return doubts.length === 0 && (ledger.get("open") ?? "0") === "0";
}

/** Whether a call of a guard has got the effect's result. */
export function isDone(answer: Told | undefined): boolean {
  return answer?.what === "guard" && answer.text.startsWith("{");
}

/** In place of a script. */
export const LOSS = "a loss";

const HOUR_MS = 3_600_000;

const askName: Readonly<Record<Ask, string>> = {
  submit: "submits",
  "submit-other": "submits other content",
  cancel: "cancels",
  retry: "retries by hand",
  guard: "calls",
};

function mayAsk(seen: Seen, what: Asked, effect: string): boolean {
  if (what === "look") return isRunOver(seen, effect);
  return !isLook(what) || seen.doubts.length > 0;
}

function isLook(what: Asked): what is Exclude<Asked, Ask> {
  return what.startsWith("look");
}

function headsOf(requests: readonly Request[]): Request[] {
  return requests.filter((request, at) => requests.findIndex(({ line }) => line === request.line) === at);
}

function drop(request: Request): void {
  const { actor } = request;
  actor.requests = actor.requests.filter((other) => other !== request);
  actor.late.delete(request);
}

function free(label: string, take: (recorded: Answer | undefined) => Promise<unknown>): Choice {
  return { ...fault(label, take), faults: 0 };
}

function fault(label: string, take: (recorded: Answer | undefined) => Promise<unknown>): Choice {
  return {
    label,
    faults: 1,
    jumps: 0,
    isOneCommand: true,
    take: async (recorded) => (await take(recorded)) as Answer | undefined,
  };
}

function closedConnection(): Answer {
  return { error: new Error("Connection is closed.") };
}

function loading(): Answer {
  const error = new Error("LOADING Redis is loading the dataset in memory");
  error.name = "ReplyError";
  return { error };
}

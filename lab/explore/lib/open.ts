import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import type { Seen } from "../invariants.ts";
import { Seam } from "./connection.ts";
import { type Duty, type Machine, openMachine } from "./machine.ts";
import type { Scenario } from "./run.ts";
import { Store } from "./store.ts";
import { Actor, type Answer, letRun, type Request, takeOver, world } from "./world.ts";

/** A larger hash has its fields in an order that Redis draws at its start: what is the same would look different. */
const IN_ORDER = ["--hash-max-listpack-value", "65536"];

/** The Redis of this process, and what opens scenarios on it. */
export async function openRedis() {
  const directory = await mkdtemp(path.join(tmpdir(), "holdfast-explore-"));
  const socket = path.join(directory, "socket");
  const args = ["--unixsocket", socket, "--databases", "2", ...IN_ORDER];
  const server = await startRedisServer({ directory, args });
  const store = new Store(socket);
  world.startedAt = Math.ceil(Date.now() / 1_000) * 1_000;
  return {
    open: (scenario: Scenario) => openScenario(scenario, store, server.url),
    async stop(): Promise<void> {
      store.redis.disconnect();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Submits the job of a scenario, by the real path. */
async function openScenario(scenario: Scenario, store: Store, url: string): Promise<Laboratory> {
  const { redis } = store;
  await redis.flushall();
  // What it has acknowledged is on disk; afterwards nothing has to be.
  await redis.config("SET", "appendonly", "yes");
  while (!(await redis.info("persistence")).includes("aof_rewrite_in_progress:0")) await pause(10);
  const machine = await openMachine(url, scenario);
  const { names } = machine;
  const { job } = scenario;
  // The queue's secret and its epoch are there in any case.
  const submitted = await machine.submit();
  const id = job.isSubmitted === false || job.isGuarded === true ? "" : submitted;
  if (id === "")
    await redis.del(...(await redis.keys("*")).filter((key) => !/secret|epoch|queues$/.test(key)));
  if (job.isGuarded === true) await machine.connect(redis);
  await redis.config("SET", "appendonly", "no");
  const workers = [...scenario.workers, "h"].flatMap((name) => [world.startedAt, name]);
  await redis.zadd(`${names.start}workers:seen`, ...workers);
  const start = await store.see(names, id);
  takeOver();
  return new Laboratory(store, machine, id, start, scenario);
}

/** What all runs of a scenario share: they are many, connections few, since BullMQ compiles its scripts for each. */
export class Laboratory {
  readonly store: Store;
  readonly machine: Machine;
  readonly id: string;
  /** With the job submitted, and nothing else. */
  readonly start: Seen;
  readonly scenario: Scenario;
  readonly #seams = new Map<string, Seam>();
  #looking: Actor | undefined;
  readonly #startAnswers = new Map<string, Answer>();

  constructor(store: Store, machine: Machine, id: string, start: Seen, scenario: Scenario) {
    this.store = store;
    this.machine = machine;
    this.id = id;
    this.start = start;
    this.scenario = scenario;
  }

  /** A new connection of a process. */
  clientOf(actor: Actor): Redis {
    const seam = this.#seams.get(actor.name) ?? new Seam(this.store);
    this.#seams.set(actor.name, seam);
    return seam.clientFor(actor);
  }

  see(): Promise<Seen> {
    return this.store.see(this.machine.names, this.id);
  }

  /** Runs what an actor does alone, and is no step: nothing else happens meanwhile. Each process starts on the same Redis. */
  async alone<T>(actor: Actor, what: () => Promise<T>, isAtStart = false): Promise<T> {
    let ended: PromiseSettledResult<T> | undefined;
    await letRun(actor, () => {
      void Promise.allSettled([what()]).then(([result]) => {
        ended = result;
      });
    });
    while (ended === undefined) {
      const request = actor.requests.shift();
      if (request === undefined) throw new Error(`${actor.name} waits for nothing`);
      const answer = isAtStart ? await this.#answerAtStart(request) : await request.perform();
      await letRun(actor, () => request.settle(answer));
    }
    if (ended.status === "rejected") throw ended.reason;
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

  /** Asks what they ask at their start while Redis is as it was at the beginning. */
  async meetJanitors(): Promise<void> {
    if (this.#startAnswers.size === 0) for (const duty of this.scenario.around) await this.janitor(duty);
  }

  /** A process that has no job in any run, and looks for stalled jobs; one that sweeps is new each time, since it remembers what was due. */
  async janitor(duty: Duty): Promise<Actor> {
    if (duty === "look" && this.#looking !== undefined) return this.#looking;
    const actor = new Actor(duty);
    const client = this.clientOf(actor);
    const start = () =>
      duty === "sweep" ? this.machine.startSweep(client) : this.machine.startWorker(actor, client, [duty]);
    await this.alone<unknown>(actor, start, true);
    if (duty === "look") this.#looking = actor;
    return actor;
  }

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

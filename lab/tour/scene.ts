// One break on one side: a Redis, a witness, the processes of that side, and what became of each job in the end.
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Redis } from "ioredis";
import { type RedisServer, startRedisServer } from "../../test/support/redis-server.ts";
import { until } from "../../test/support/until.ts";
import { type Clocks, type Role, type RoleName, type SideName, sides, startRole } from "./sides.ts";
import { startWitness, type Witness } from "./witness.ts";

/** What became of everything that was acknowledged, or due. */
export interface Counts {
  /** Never done. */
  lost: number;
  /** Done more than once. */
  twice: number;
  /** Done, but called failed; or done at another time than it should. */
  wrong: number;
  /** Said to be in doubt. */
  inDoubt: number;
}

/** How a job stands, as its service says. */
interface Status {
  readonly state: string;
  readonly code: string | undefined;
}

export interface Settings {
  readonly clocks: Clocks;
  readonly redisArgs: readonly string[];
  readonly redisEnv: NodeJS.ProcessEnv;
}

/** Plays a break, and counts. @param steps returns an API, which is asked how the jobs have ended */
export async function play(
  side: SideName,
  { clocks, redisArgs, redisEnv }: Settings,
  steps: (scene: Scene) => Promise<Role>,
): Promise<Counts> {
  const redis = await startRedisServer({ args: redisArgs, env: redisEnv });
  const witness = await startWitness();
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-tour-"));
  const scene = new Scene(side, clocks, redis, witness, path.join(folder, "roles.log"));
  try {
    return await scene.count(await steps(scene));
  } finally {
    await scene.stop();
    await witness.stop();
    await redis.stop();
    if (process.env.TOUR_KEEP === undefined) await rm(folder, { recursive: true });
    else console.log(`the logs of ${side} are in ${folder}`);
  }
}

export class Scene {
  readonly witness: Witness;
  readonly redis: RedisServer;
  readonly client: Redis;
  readonly #side: SideName;
  readonly #clocks: Clocks;
  readonly #log;
  readonly #roles: Role[] = [];
  #early = 0;
  /** By what must be done: the job's id, where there is one. */
  readonly #due = new Map<string, string | undefined>();

  constructor(side: SideName, clocks: Clocks, redis: RedisServer, witness: Witness, log: string) {
    this.#side = side;
    this.#clocks = clocks;
    this.redis = redis;
    this.witness = witness;
    this.#log = createWriteStream(log);
    this.client = new Redis(redis.url, { maxRetriesPerRequest: null });
    this.client.on("error", () => {});
  }

  async start(role: RoleName, env: NodeJS.ProcessEnv = {}): Promise<Role> {
    const own = { REDIS_URL: this.redis.url, SMTP_URL: this.witness.smtpUrl, ...env };
    const started = await startRole(this.#side, role, { clocks: this.#clocks, env: own, log: this.#log });
    this.#roles.push(started);
    return started;
  }

  /** Submits a welcome mail. @returns the job's id */
  async mail(api: Role, to: string, idempotencyKey = to): Promise<string> {
    const payload = { email: to, name: "Anoop", message: "Congratulations!" };
    return await this.#submit(api, to, { type: "welcome-email", payload, idempotencyKey });
  }

  /** Submits a digest. @returns the job's id */
  async digest(api: Role, at: string): Promise<string> {
    const payload = { url: this.witness.postUrl, at };
    return await this.#submit(api, at, { type: "daily-digest", payload, idempotencyKey: at });
  }

  /** Submits again and again until it is answered below 500, as a client with a key does. A refused act is not due. */
  async #submit(api: Role, act: string, body: object): Promise<string> {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(body) };
    const answer = await until("the API answers a submission", async () => {
      const response = await fetch(`${api.url}/jobs`, request).catch(() => undefined);
      return response !== undefined && response.status < 500 && response;
    });
    const { id = "" } = (await answer.json()) as { id?: string };
    if (answer.ok) this.#due.set(act, id);
    return id;
  }

  /** Something must be done although no answer has acknowledged it. */
  isDue(act: string): void {
    this.#due.set(act, undefined);
  }

  /** Something was done before its time. */
  isEarly(): void {
    this.#early += 1;
  }

  async status(api: Role, id: string): Promise<Status> {
    const response = await fetch(`${api.url}/jobs/${id}/status`);
    if (!response.ok) return { state: "unknown", code: undefined };
    const { state, error } = (await response.json()) as {
      readonly state: string;
      readonly error: { readonly code?: string } | string | null;
    };
    return { state, code: typeof error === "object" ? error?.code : undefined };
  }

  /** Waits until no job waits, runs or is delayed, and no mail is under way. */
  async rest(): Promise<void> {
    const { queue } = sides[this.#side];
    await until("no job is left and no mail is under way", async () => {
      // In one step: a job that moves from one to another in between would be in none.
      const left = await this.client
        .multi()
        .llen(`${queue}:wait`)
        .llen(`${queue}:active`)
        .zcard(`${queue}:delayed`)
        .exec();
      return this.witness.underWay === 0 && left?.every(([, count]) => count === 0) === true;
    });
  }

  async count(api: Role): Promise<Counts> {
    const counts: Counts = { lost: 0, twice: 0, wrong: this.#early, inDoubt: 0 };
    for (const [act, id] of this.#due) {
      const times = this.witness.acts.filter((one) => one === act).length;
      const status = id === undefined ? undefined : await this.status(api, id);
      for (const word of wordsFor(times, status)) counts[word] += 1;
    }
    return counts;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#roles.map((role) => role.kill("SIGKILL")));
    this.client.disconnect();
    this.#log.end();
  }
}

function wordsFor(times: number, status: Status | undefined): (keyof Counts)[] {
  const isInDoubt = status?.code === "EFFECT_IN_DOUBT";
  const words: (keyof Counts)[] = times > 1 ? ["twice"] : [];
  if (isInDoubt) return [...words, "inDoubt"];
  if (times === 0) return ["lost"];
  return status?.state === "failed" ? [...words, "wrong"] : words;
}

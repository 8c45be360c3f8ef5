import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JobContract } from "../core/job/contract.ts";
import { hasEnded, type JobStatus } from "../core/job/job-status.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { defineConfig } from "../features/define.ts";
import { features } from "../features/index.ts";
import { openStatusReader } from "../features/job-status.ts";
import { type Environment, environmentWith, readSettings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { packageFile } from "../platform/lib/package-file.ts";
import { orStop } from "../platform/lib/running.ts";
import type { SweptBoundary, SweptDeeds } from "./sweep-report.ts";
import { boundariesIn, countSeen, keylessIn, repeatedCalls, repeatedEffects } from "./sweep-report.ts";
import type { SweepAnswer, SweepOrder, TraceLine } from "./swept/orders.ts";
import { passTime } from "./test-clock.ts";
import type { ThrowAwayStore } from "./throw-away-store.ts";
import { until } from "./until.ts";

/** What a crash sweep runs. */
interface Swept {
  readonly job: JobContract;
  readonly payload: unknown;
  /** The path of the application. */
  readonly application: string;
  readonly env: Environment;
  readonly mayRepeat: readonly RegExp[];
  readonly timeoutMs: number;
  readonly store: ThrowAwayStore;
}

/** A run without a crash. */
interface Rehearsal extends SweptDeeds {
  readonly boundaries: readonly string[];
}

/** An installation with one job in it. */
interface OneJob {
  readonly env: Environment;
  readonly id: string;
  /** Waits for the end of the job, or of something else. Whatever it is delayed for passes at once. */
  until(isOver: (status: JobStatus) => boolean, what: string): Promise<JobStatus>;
  close(): Promise<void>;
}

/** A dead worker's job is found within this time and two thirds of it. Shorter locks are lost on a busy machine. */
const LOCK_MS = "1000";
const DYING_MS = 1_000;

/** Sweeps one boundary after the other. Its survivor takes over the jobs of all the workers that die. */
export class SweepLane {
  readonly #swept: Swept;
  readonly #survivor: SweepProcess;
  /** The next to die. It loads the application while others work. */
  #victim: SweepProcess;
  #isStopped = false;

  constructor(swept: Swept) {
    this.#swept = swept;
    this.#survivor = this.#start();
    this.#victim = this.#start();
  }

  /** Runs the job without a crash. @returns the boundaries that it passes, and what it did */
  async rehearse(): Promise<Rehearsal> {
    const job = await this.#submit();
    try {
      const traceFile = await this.#takeOver(job);
      const { state, error } = await job.until(hasEnded, "ended without a crash");
      const why = `${error?.code}: ${error?.message}`;
      if (state !== "completed") throw new Error(`The job does not complete, even without a crash: ${why}`);
      // The last report of an effect is answered beside the attempt: its boundary can come after the job's end.
      await this.#survivor.rest();
      return this.#rehearsed(readTrace(traceFile));
    } finally {
      await job.close();
    }
  }

  /** @param hasMore whether there are boundaries that no lane has begun */
  async sweep(at: string, hasMore: () => boolean): Promise<SweptBoundary> {
    const job = await this.#submit();
    try {
      const first = readTrace(await this.#runUntilKilled(job, at));
      if (hasMore()) this.#victim = this.#start();
      const second = await this.#takeOver(job);
      const status = await job.until(hasEnded, `ended after the crash ${at}`);
      return boundaryOf(this.#swept, at, status, [first, readTrace(second)]);
    } finally {
      await job.close();
    }
  }

  #rehearsed(trace: readonly TraceLine[]): Rehearsal {
    const { job, store, mayRepeat } = this.#swept;
    const keyless = keylessIn(trace).filter((effect) => job.effects[effect]?.inDoubt === "repeat");
    return {
      boundaries: boundariesIn(trace),
      seen: countSeen(trace, { storeUrl: store.url, mayRepeat }),
      keylessEffects: [...new Set(keyless)],
    };
  }

  /** What is under way ends with an error. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#survivor.kill(), this.#victim.kill()]);
  }

  #start(): SweepProcess {
    if (this.#isStopped) throw stopped();
    const { application, env } = this.#swept;
    return startSweepProcess(application, environmentWith(env));
  }

  async #takeOver({ env, id }: OneJob): Promise<string> {
    const traceFile = this.#newTrace();
    await this.#survivor.run({ env, jobId: id, killAt: undefined, traceFile });
    return traceFile;
  }

  /** @returns its trace */
  async #runUntilKilled(job: OneJob, at: string): Promise<string> {
    const traceFile = this.#newTrace();
    const victim = this.#victim;
    await victim.run({ env: job.env, jobId: job.id, killAt: at, traceFile });
    await job.until((status) => victim.hasEnded || hasEnded(status), `at the boundary ${at}`);
    // It may die in the moment after the job's end.
    const missed = () =>
      `The handler does not always do the same: it did not get ${at} again. What it does must come from the payload alone`;
    await until(() => victim.hasEnded, DYING_MS, missed);
    return traceFile;
  }

  #newTrace(): string {
    return join(this.#swept.store.directory, `${randomUUID()}.trace`);
  }

  async #submit(): Promise<OneJob> {
    const { job, payload, env: more, timeoutMs, store } = this.#swept;
    const env = store.environment({ HOLDFAST_LOCK_MS: LOCK_MS, ...more });
    const application = defineConfig({ jobs: [job], handlers: async () => [] });
    const inTime = <T>(attempt: () => Promise<T>) =>
      until(
        () => {
          if (this.#isStopped) throw stopped();
          return attempt().catch(orLater);
        },
        timeoutMs,
        () => `The store accepts no job for ${timeoutMs} ms`,
      );
    const path = await inTime(() => openSubmitPath(application, readSettings(env), features));
    // Unique, so that downstream does not take its effects for those of another run.
    const idempotencyKey = `crash-sweep-${env.HOLDFAST_PREFIX}`;
    const submit = () => path.submitter.submit({ type: job.type, payload, idempotencyKey });
    const { id } = await orStop(path, inTime(submit));
    const readStatus = openStatusReader(path.stores);
    const stores = path.stores.partitionsOf(application.queues);
    const isStopped = () => this.#isStopped;
    return {
      env,
      id,
      async until(isOver, what) {
        const look = async () => {
          if (isStopped()) throw stopped();
          const read = await readStatus(id)
            .then((status) => ({ status }))
            .catch(orLater);
          if (read === undefined) return false;
          const { status } = read;
          if (status === undefined) throw new Error(`The job is gone before it is ${what}`);
          if (isOver(status)) return status;
          const { nextAttemptAt } = status;
          if (nextAttemptAt !== null) await passTime(stores, msUntil(nextAttemptAt)).catch(orLater);
          return false;
        };
        return await until(look, timeoutMs, () => `After ${timeoutMs} ms the job is not ${what}`);
      },
      close: path.stop,
    };
  }
}

/** A machine under load may let a store wait for its disk. @throws what does not pass by itself */
function orLater(error: unknown): undefined {
  if (error instanceof HoldfastError && error.retryable) return undefined;
  throw error;
}

function stopped(): Error {
  return new Error("The sweep was stopped");
}

/** A millisecond later, so that it is due, whatever was rounded. */
function msUntil(instant: string): number {
  return Math.max(0, Date.parse(instant) - Date.now()) + 1;
}

/** A process that was killed before its worker was ready has none. */
function readTrace(file: string): TraceLine[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as TraceLine);
}

function boundaryOf(
  { store, mayRepeat }: Swept,
  at: string,
  { state, error }: JobStatus,
  [first, second]: readonly [TraceLine[], TraceLine[]],
): SweptBoundary {
  const again = {
    repeatedEffects: repeatedEffects(first, second),
    repeatedCalls: repeatedCalls(first, second, { storeUrl: store.url, mayRepeat }),
  };
  if (error !== null && state === "failed") {
    const { code, message } = error;
    const outcome = code === "EFFECT_IN_DOUBT" ? "in doubt" : "failed";
    return { at, outcome, error: { code, message }, ...again };
  }
  const isRepeated = again.repeatedEffects.length + again.repeatedCalls.length > 0;
  return { at, outcome: isRepeated ? "repeated" : "completed", ...again };
}

/** A process of a crash sweep, as its parent sees it. */
interface SweepProcess {
  /** Has it run a job; resolves when its worker is ready, or when it has died. */
  run(order: SweepOrder): Promise<void>;
  /** Has it stop its worker: then its trace is complete. */
  rest(): Promise<void>;
  readonly hasEnded: boolean;
  /** Ends it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** From the build, also where this file is run from its source. */
const SCRIPT = "dist/testing/swept/worker.js";

/**
 * Starts one, and lets it load the application.
 *
 * @param application a path
 */
function startSweepProcess(application: string, env: NodeJS.ProcessEnv): SweepProcess {
  const child = fork(packageFile(SCRIPT), [application], {
    env,
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const errors: string[] = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // An order to a process that has just been killed.
  child.on("error", () => {});
  const loaded = answerOf(child, "loaded", errors);
  // It is waited for with the first order.
  loaded.catch(() => {});
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const send = async (order: SweepOrder | "rest") => {
    await loaded;
    const ready = answerOf(child, "ready", errors);
    child.send(order);
    await Promise.race([ready, ended]);
  };
  return {
    run: send,
    rest: () => send("rest"),
    get hasEnded() {
      return hasEnded();
    },
    async kill() {
      child.kill("SIGKILL");
      if (!hasEnded()) await ended;
    },
  };
}

/** @throws Error if it says that it failed, or ends by itself */
function answerOf(child: ChildProcess, kind: SweepAnswer["kind"], errors: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: SweepAnswer) => {
      if (answer.kind === "failed") finish(() => reject(new Error(answer.why)));
      else if (answer.kind === kind) finish(resolve);
    };
    const onExit = (_code: number | null, signal: NodeJS.Signals | null) => {
      const why = `A process of the sweep ended:\n${errors.join("").slice(-2_000)}`;
      finish(signal === "SIGKILL" ? resolve : () => reject(new Error(why)));
    };
    const finish = (then: () => void) => {
      child.off("message", onMessage).off("exit", onExit);
      then();
    };
    child.on("message", onMessage).on("exit", onExit);
  });
}

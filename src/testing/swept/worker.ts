import { AsyncLocalStorage } from "node:async_hooks";
import { openSync, writeSync } from "node:fs";
import { setImmediate as endOfTurn } from "node:timers/promises";
import { type Failpoint, onFailpoint } from "../../core/failpoints.ts";
import type { Application } from "../../core/job/application.ts";
import type { Attempt } from "../../core/job/attempt.ts";
import type { JobHandler } from "../../core/job/contract.ts";
import type { EffectCall, EffectOptions } from "../../core/job/effect.ts";
import { startWorker } from "../../desk/start-worker.ts";
import { loadApplication } from "../../edges/cli/load-application.ts";
import { replaceVariables } from "../../platform/config/settings.ts";
import type { Running } from "../../platform/lib/running.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import { END, type OutsideCall, type SweepAnswer, type SweepOrder, type TraceLine } from "./orders.ts";
import { watchOutsideCalls } from "./outside-calls.ts";

/**
 * A process of a crash sweep: a real worker of the application, which notes each boundary that its job passes, and dies at the one
 * that it is ordered to.
 */

const boundaries: Partial<Record<Failpoint, string>> = {
  "reserve:before": "before reserve of",
  "reserve:after": "after reserve of",
  "commit:before": "before commit of",
  "commit:after": "after commit of",
  "finish:before": END,
};

let order: SweepOrder | undefined;
let trace = -1;
let worker: Running | undefined;

// Its parent is gone.
process.on("disconnect", () => process.exit(1));

const application = await load(process.argv[2] ?? "");
process.on("message", (next: SweepOrder | "rest") => {
  carryOut(next).then(() => answer({ kind: "ready" }), fail);
});
onFailpoint(async (point, jobId) => {
  const name = boundaries[point];
  if (name === undefined || jobId !== order?.jobId) return;
  const effect = currentPlace()?.effect;
  await reach(name.endsWith(" of") ? `${name} ${effect}` : name);
});
watchOutsideCalls(noteCall);
answer({ kind: "loaded" });

async function load(file: string): Promise<Application> {
  const { handlers, ...rest } = await loadApplication(file).catch(fail);
  return {
    ...rest,
    handlers: async () => (await handlers()).map((handler) => watched(handler, noteEffect, noteKey)),
  };
}

async function carryOut(next: SweepOrder | "rest"): Promise<void> {
  await worker?.stop();
  if (next === "rest") return;
  trace = openSync(next.traceFile, "a");
  order = next;
  // A handler may open a producer or an operator of its own.
  replaceVariables(next.env);
  worker = await startWorker(application, next.env);
}

function noteEffect({ jobId, effect }: Required<Place>): Promise<void> | undefined {
  if (jobId !== order?.jobId) return undefined;
  note({ kind: "effect", effect });
  return reach(`inside ${effect}`);
}

function noteKey({ jobId, effect }: Required<Place>): void {
  if (jobId === order?.jobId) note({ kind: "key", effect });
}

/** The store's own connections are no calls of the handler. */
function noteCall(call: OutsideCall): void {
  const place = currentPlace();
  if (place === undefined || place.jobId !== order?.jobId) return;
  note({ kind: "call", call, effect: place.effect });
}

function reach(at: string): Promise<void> | undefined {
  note({ kind: "boundary", at });
  return at === order?.killAt ? die() : undefined;
}

/** After this turn of the event loop, so that what was begun in it is on its way. */
async function die(): Promise<void> {
  await endOfTurn();
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
}

/** Without a buffer, so that it survives the kill. */
function note(line: TraceLine): void {
  writeSync(trace, `${JSON.stringify(line)}\n`);
}

function answer(message: SweepAnswer): void {
  process.send?.(message);
}

function fail(error: unknown): never {
  process.send?.({ kind: "failed", why: messageOf(error) } satisfies SweepAnswer, () => process.exit(1));
  throw error;
}

/** Which code runs: of which job, and of which effect, with `/index` where it has one. */
export interface Place {
  readonly jobId: string;
  readonly effect?: string;
}

const places = new AsyncLocalStorage<Place>();

/** Where the code that calls this is; undefined outside of all handlers. */
export function currentPlace(): Place | undefined {
  return places.getStore();
}

/** Called after an effect's function was called, while its work goes on. */
type OnEffect = (place: Required<Place>) => Promise<void> | undefined;

/** Called when an effect's function reads its key. */
type OnKey = (place: Required<Place>) => void;

/** The same handler, in whose code `currentPlace` is known. */
export function watched(handler: JobHandler, onEffect: OnEffect, onKey: OnKey): JobHandler {
  return {
    job: handler.job,
    run: (attempt) =>
      places.run({ jobId: attempt.jobId }, () => handler.run(watchedAttempt(attempt, onEffect, onKey))),
  };
}

function watchedAttempt<A extends Attempt<unknown, never>>(attempt: A, onEffect: OnEffect, onKey: OnKey): A {
  const { jobId } = attempt;
  const ask = attempt.effect as Attempt<unknown, string>["effect"];
  const effect = <T>(
    name: string,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptions<T> = {},
  ): Promise<T | undefined> => {
    const { index } = options;
    const place = { jobId, effect: index === undefined ? name : `${name}/${index}` };
    const begin = async (call: EffectCall): Promise<T> => {
      const work = run(watchedCall(call, () => onKey(place)));
      const noted = onEffect(place);
      if (noted !== undefined) {
        // It is waited for below, if this process lives that long.
        work.catch(() => {});
        await noted;
      }
      return await work;
    };
    return places.run(place, () => ask<unknown>(name, begin, options)) as Promise<T | undefined>;
  };
  // Its own getters need the attempt itself.
  return new Proxy(attempt, {
    get: (target, name) => (name === "effect" ? effect : Reflect.get(target, name, target)),
  });
}

function watchedCall(call: EffectCall, onKey: () => void): EffectCall {
  return new Proxy(call, {
    get(target, name) {
      if (name === "key") onKey();
      return Reflect.get(target, name, target);
    },
  });
}

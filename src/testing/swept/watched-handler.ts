import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "../../core/job/attempt.ts";
import type { JobHandler } from "../../core/job/define-job.ts";
import type { EffectCall, EffectOptions } from "../../core/job/effect.ts";

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
export type OnEffect = (place: Required<Place>) => Promise<void> | undefined;

/** Called when an effect's function reads its key. */
export type OnKey = (place: Required<Place>) => void;

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
    return places.run(place, () => ask(name, begin, options));
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

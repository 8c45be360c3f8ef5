import type { Abort } from "../../platform/lib/abort.ts";
import type { EffectCall, ProbeCall } from "../job/effect.ts";

/**
 * What a probe gets. A class: V8 makes a hidden class of its own for each object with a getter in it, which keeps the whole attempt
 * alive until the next major collection (row `work-effect`).
 */
export class GivenProbeCall implements ProbeCall {
  readonly key: string;
  readonly #abort: Abort;

  constructor(key: string, abort: Abort) {
    this.key = key;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

/** What an effect's function gets. */
export class GivenCall extends GivenProbeCall implements EffectCall {
  readonly fence: number;

  constructor(key: string, abort: Abort, fence: number) {
    super(key, abort);
    this.fence = fence;
  }
}

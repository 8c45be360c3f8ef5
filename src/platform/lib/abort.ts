/**
 * An AbortController that makes the platform's signal only on request: three of them were most of a short attempt (row `work`).
 *
 * Whoever asks whether it is aborted, or asks its signal, makes it look at the clock first: after a pause of the process, other
 * timers can fire before its own.
 */
export class Abort {
  #isAborted = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  #listeners: readonly Listener[] = [];
  #outer: Abort | undefined;
  #unlink: (() => void) | undefined;
  // performance.now() runs on while a process is paused.
  #dueAt = Number.POSITIVE_INFINITY;
  #late: (() => unknown) | undefined;
  #timer: NodeJS.Timeout | undefined;

  get aborted(): boolean {
    this.look();
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      asksFirst(this.#controller.signal, this);
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener(reason);
    this.#listeners = [];
  }

  /** @throws the reason, when it is aborted */
  throwIfAborted(): void {
    this.look();
    if (this.#isAborted) throw this.#reason;
  }

  /**
   * Is aborted when the time is up.
   *
   * @param late makes the reason
   */
  abortAfter(ms: number, late: () => unknown): void {
    this.#dueAt = performance.now() + ms;
    this.#late = late;
    this.#timer = setTimeout(() => this.abort(late()), ms);
  }

  /** Is aborted with the other one, for the same reason. */
  abortWith(outer: Abort): void {
    this.#outer = outer;
    this.#unlink = outer.onAbort((reason) => this.abort(reason));
  }

  /** Neither time nor another abort aborts it any more. */
  detach(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#unlink?.();
    this.#outer = undefined;
  }

  /** Aborts it now if it should be, and nothing has noticed yet. */
  protected look(): void {
    if (this.#isAborted) return;
    this.#outer?.look();
    if (performance.now() >= this.#dueAt) this.abort(this.#late?.());
  }

  /**
   * Calls the listener when it is aborted, at once if it is already.
   *
   * @returns removes the listener
   */
  onAbort(listener: Listener): () => void {
    if (this.#isAborted) listener(this.#reason);
    else this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }
}

type Listener = (reason: unknown) => void;

const abortOf = new WeakMap<AbortSignal, Abort>();

/** Never constructed: a signal gets its prototype. Getters on each signal would keep its attempt alive, as those of `GivenCall`. */
class AskingSignal extends AbortSignal {
  override get aborted(): boolean {
    return abortOf.get(this)?.aborted ?? super.aborted;
  }

  override throwIfAborted(): void {
    abortOf.get(this)?.throwIfAborted();
  }
}

function asksFirst(signal: AbortSignal, abort: Abort): void {
  abortOf.set(signal, abort);
  Object.setPrototypeOf(signal, AskingSignal.prototype);
}

/**
 * An AbortController that creates Node.js's signal only when somebody asks for it: three signals took most of a short attempt's time
 * (row `work`).
 *
 * Reading `aborted`, here or on the signal, checks the clock first: after the process was paused, other timers can fire before this one's.
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
   * Aborts it when the time is up.
   *
   * @param late makes the reason
   */
  abortAfter(ms: number, late: () => unknown): void {
    this.#dueAt = performance.now() + ms;
    this.#late = late;
    this.#timer = setTimeout(() => this.abort(late()), ms);
  }

  /** Aborts it when the other one is aborted, for the same reason. */
  abortWith(outer: Abort): void {
    this.#outer = outer;
    this.#unlink = outer.onAbort((reason) => this.abort(reason));
  }

  /** From now on neither time nor another abort aborts it. */
  detach(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#unlink?.();
    this.#outer = undefined;
  }

  /** From now on it is aborted for whoever asks. Its event comes only then. */
  abortWhenAsked(reason: unknown): void {
    this.#dueAt = Number.NEGATIVE_INFINITY;
    this.#late = () => reason;
  }

  /** Aborts it if its time is up, or the outer one's, and no timer has fired yet. */
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

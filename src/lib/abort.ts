/**
 * What an AbortController is, except that the platform's signal is made only when somebody asks for it: profiles showed
 * three of them to be the largest part of a short attempt.
 */
export class Abort {
  #isAborted = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  #listeners: readonly Listener[] = [];

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
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
    if (this.#isAborted) throw this.#reason;
  }

  /**
   * Calls the listener when it is aborted, at once if it is already.
   *
   * @returns takes the listener off again
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

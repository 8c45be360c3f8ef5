/** An AbortController that makes the platform's signal only on request: three of them were most of a short attempt (row `work`). */
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

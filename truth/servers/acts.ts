/** Counts what a downstream did for one row, outside of the runtime that called it. */
export class Acts {
  #attempt = 0;
  /** By attempt and, where downstream recognises keys, by key. */
  readonly #acts: { readonly attempt: number; readonly key: string | undefined }[] = [];

  /** The next attempt begins. */
  begin(): void {
    this.#attempt += 1;
  }

  /** @param key by which downstream recognises a repeated call */
  act(key?: string): void {
    const isKnown = key !== undefined && this.#acts.some((act) => act.key === key);
    if (!isKnown) this.#acts.push({ attempt: this.#attempt, key });
  }

  get attempts(): number {
    return this.#attempt;
  }

  get count(): number {
    return this.#acts.length;
  }

  /** In how many attempts it acted. What a library sends again by itself belongs to one attempt. */
  get attemptsThatActed(): number {
    return new Set(this.#acts.map(({ attempt }) => attempt)).size;
  }
}

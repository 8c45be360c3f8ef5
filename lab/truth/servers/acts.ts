/** Counts what a downstream did for one row, outside of the runtime that called it. */
export class Acts {
  /** Asks a database how often the row was written, where nobody else sees it. */
  measure: (() => Promise<number>) | undefined;
  /** Nothing that could act was ever sent; `undefined` where downstream does not watch for it. */
  isNeverReached?: boolean;
  #attempt = 0;
  /** By attempt and, where downstream recognises keys, by key. */
  readonly #acts: { readonly attempt: number; readonly key: string | undefined }[] = [];

  /** The next attempt begins. */
  async begin(): Promise<void> {
    await this.look();
    this.#attempt += 1;
  }

  /** @param key by which downstream recognises a repeated call */
  act(key?: string): void {
    const isKnown = key !== undefined && this.#acts.some((act) => act.key === key);
    if (!isKnown) this.#acts.push({ attempt: this.#attempt, key });
  }

  /** Takes what was written until now as acts of the attempt under way. */
  async look(): Promise<void> {
    const written = (await this.measure?.()) ?? 0;
    while (this.#acts.length < written) this.act();
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

/** What is kept open between calls, by the port of its downstream. */
export class Kept<Opened> {
  readonly #opened = new Map<number, Opened>();

  keep(port: number, opened: Opened): Opened {
    this.#opened.set(port, opened);
    return opened;
  }

  /** The one that was kept, or a new one. */
  of(port: number, open: () => Opened): Opened {
    return this.#opened.get(port) ?? open();
  }
}

/**
 * Whether an operator has told this worker to claim no more jobs of a queue. Each partition's heartbeat brings what Redis has of it; while
 * Redis is away, what it said last counts.
 */
export class Quiet {
  /** Milliseconds since 1970. With the worker's name, it names the process: a later one can have that name, too. */
  readonly startedAt = Date.now();
  /** By partition. */
  readonly #told = new Map<string, string>();
  readonly #listeners: (() => void)[] = [];

  isQuiet(): boolean {
    return this.told() !== "";
  }

  /** The record, as Redis has it: a Redis that has forgotten it is told. "" where nobody has told this worker so. */
  told(): string {
    return [...this.#told.values()].find((record) => record !== "") ?? "";
  }

  /** @param record "" if it may claim jobs */
  hear(partition: string, record: string): void {
    const was = this.isQuiet();
    this.#told.set(partition, record);
    if (this.isQuiet() !== was) for (const listener of this.#listeners) listener();
  }

  /** Called when that changes. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

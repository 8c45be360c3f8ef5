/** The attempts that a worker may run at a time, shared by the partitions of a queue. */
export class Slots {
  readonly size: number;
  /** Also while a claim is under way. */
  #used = 0;
  /** Given up by attempts that are still ending. */
  #yielded = 0;
  /** Partitions that wait for another slot, the one that waits longest first. */
  readonly #waiting: SlotShare[] = [];

  constructor(size: number) {
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  share(): SlotShare {
    return new SlotShare(this);
  }

  /** @returns whether there is a slot; if not, a later one is kept for the share */
  take(share: SlotShare): boolean {
    if (this.#used < this.size) {
      this.#used += 1;
      return true;
    }
    if (!this.isWaiting(share)) {
      share.waitsSince = performance.now();
      this.#waiting.push(share);
    }
    return false;
  }

  /** The slot is kept for the partition that has the fewest. */
  release(): void {
    const fewest = Math.min(...this.#waiting.map(({ used }) => used));
    const next = this.#waiting.find(({ used }) => used === fewest);
    if (next === undefined) {
      this.#used -= 1;
      return;
    }
    this.leave(next);
    next.keep();
  }

  isWaiting(share: SlotShare): boolean {
    return this.#waiting.includes(share);
  }

  leave(share: SlotShare): void {
    const at = this.#waiting.indexOf(share);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /**
   * Whether a partition that has none, or two fewer, has waited for its turn: it gets this slot when it is released. A slot that goes
   * to and fro costs a claim each time, and attempts end many at once: so what others have given up already counts as its own.
   */
  yield({ used }: SlotShare): boolean {
    const before = performance.now() - TURN_MS;
    const isBehind = (other: SlotShare) => {
      const has = other.used + this.#yielded;
      return has < used && (has === 0 || has < used - 1);
    };
    if (!this.#waiting.some((other) => isBehind(other) && other.waitsSince < before)) return false;
    this.#yielded += 1;
    return true;
  }

  releaseYielded(): void {
    this.#yielded -= 1;
    this.release();
  }
}

/** A partition keeps its slots for so long while others wait: claiming the next job as one finishes saves a command. */
const TURN_MS = 20;
/** A slot that is not used by then goes on to the next. */
const KEPT_MS = 200;

export class SlotShare {
  readonly #slots: Slots;
  #stopWaiting: (() => void) | undefined;
  #kept: NodeJS.Timeout | undefined;
  #used = 0;
  waitsSince = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns whether there is a slot; else it waits for one, which `untilKept` awaits */
  take(): boolean {
    const hasSlot = this.#takeKept() || this.#slots.take(this);
    if (hasSlot) this.#used += 1;
    return hasSlot;
  }

  #takeKept(): boolean {
    if (this.#kept === undefined) return false;
    clearTimeout(this.#kept);
    this.#kept = undefined;
    return true;
  }

  release(): void {
    this.#used -= 1;
    this.#slots.release();
  }

  /** Whether to claim no further job with the slot of an attempt that ends: it is another partition's turn. Then it counts as used no more. */
  yield(): boolean {
    const hasYielded = this.#slots.yield(this);
    if (hasYielded) this.#used -= 1;
    return hasYielded;
  }

  /** Frees what `yield` has given up. */
  releaseYielded(): void {
    this.#slots.releaseYielded();
  }

  /** Waits until a slot is kept for it, or for so many milliseconds. @returns false at once where it waits for none */
  async untilKept(ms: number): Promise<boolean> {
    if (this.#kept !== undefined) return true;
    if (!this.#slots.isWaiting(this)) return false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return true;
  }

  keep(): void {
    this.#kept = setTimeout(() => {
      this.#kept = undefined;
      this.#slots.release();
    }, KEPT_MS);
    this.#stopWaiting?.();
  }

  /** Gives back what is kept for it, and waits no longer. */
  leave(): void {
    this.#slots.leave(this);
    this.#stopWaiting?.();
    if (this.#takeKept()) this.#slots.release();
  }
}

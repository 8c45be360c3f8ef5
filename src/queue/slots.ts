/** The attempts that a worker may run at a time, shared by the partitions of a queue. */
export class Slots {
  readonly size: number;
  /** Also while a claim is under way. */
  #used = 0;
  /** Partitions that got no slot, the one that waits longest first. */
  readonly #waiting: SlotShare[] = [];

  constructor(size: number) {
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  /** @param wake called when a slot is kept for this partition, which it should then take */
  share(wake: () => void): SlotShare {
    return new SlotShare(this, wake);
  }

  /** @returns whether there is a slot; else the share is woken when there is one */
  take(share: SlotShare): boolean {
    if (this.#used < this.size) {
      this.#used += 1;
      return true;
    }
    if (!this.#waiting.includes(share)) {
      share.waitsSince = performance.now();
      this.#waiting.push(share);
    }
    return false;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#used -= 1;
    else next.keep();
  }

  leave(share: SlotShare): void {
    const at = this.#waiting.indexOf(share);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Whether a partition has waited for its turn. */
  isAwaited(): boolean {
    const [longest] = this.#waiting;
    return longest !== undefined && performance.now() - longest.waitsSince > TURN_MS;
  }
}

/** A partition keeps its slots for so long while others wait: claiming the next job as one finishes saves a command. */
const TURN_MS = 20;
/** A slot that is not used by then goes on to the next. */
const KEPT_MS = 200;

export class SlotShare {
  readonly #slots: Slots;
  readonly #wake: () => void;
  #kept: NodeJS.Timeout | undefined;
  waitsSince = 0;

  constructor(slots: Slots, wake: () => void) {
    this.#slots = slots;
    this.#wake = wake;
  }

  /** @returns whether there is a slot; else the share is woken when one is kept for it */
  take(): boolean {
    if (this.#kept !== undefined) {
      clearTimeout(this.#kept);
      this.#kept = undefined;
      return true;
    }
    return this.#slots.take(this);
  }

  release(): void {
    this.#slots.release();
  }

  /** Whether to claim no further job with a slot that has become free: it is another partition's turn. */
  isAwaited(): boolean {
    return this.#slots.isAwaited();
  }

  keep(): void {
    this.#kept = setTimeout(() => {
      this.#kept = undefined;
      this.#slots.release();
    }, KEPT_MS);
    this.#wake();
  }

  /** Gives back what is kept for it, and waits no longer. */
  leave(): void {
    this.#slots.leave(this);
    if (this.#kept === undefined) return;
    clearTimeout(this.#kept);
    this.#kept = undefined;
    this.#slots.release();
  }
}

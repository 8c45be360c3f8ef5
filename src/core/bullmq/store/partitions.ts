import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";

/** How many partitions a queue has, and had before. */
export interface Layout {
  readonly partitions: number;
  /** Earlier numbers, the oldest first, as long as keys that were used then are remembered. */
  readonly former: readonly number[];
}

const UNDIVIDED: Layout = { partitions: 1, former: [] };

/** A partition is a BullMQ queue. The first one has the plain name, so a queue that is not divided is its own partition. */
function partitionName(queue: string, index: number): string {
  return index === 0 ? queue : `${queue}.${index}`;
}

export function queueOfPartition(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? name : name.slice(0, dot);
}

/** The names of a queue's partitions, and of those that it had before. */
export function partitionNames(queue: string, { partitions, former }: Layout): string[] {
  const count = Math.max(partitions, ...former);
  return Array.from({ length: count }, (_, index) => partitionName(queue, index));
}

/**
 * The partition of a key, by rendezvous hashing: of all partitions, the one that gets the highest number with this key. With more
 * partitions, only the keys that go to the new ones move.
 *
 * @param dedupKey is a hash
 */
export function partitionOf(queue: string, partitions: number, dedupKey: string): string {
  if (partitions === 1) return queue;
  const seed = foldOf(dedupKey);
  let [best, highest] = [0, -1];
  for (let index = 0; index < partitions; index += 1) {
    const number = mixed(seed ^ Math.imul(index + 1, 0x9e3779b9));
    if (number > highest) [best, highest] = [index, number];
  }
  return partitionName(queue, best);
}

/** FNV-1a, 32 bits. */
function foldOf(text: string): number {
  let fold = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) fold = Math.imul(fold ^ text.charCodeAt(at), 0x01000193);
  return fold;
}

/** The last step of MurmurHash3: each bit of the input changes half of the bits. */
function mixed(bits: number): number {
  let mixing = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixing = Math.imul(mixing ^ (mixing >>> 13), 0xc2b2ae35);
  return (mixing ^ (mixing >>> 16)) >>> 0;
}

/** Reads a layout as it is stored: the present number, then those before, the latest first. */
export function parseLayout(text: string): Layout {
  const [partitions = 1, ...former] = text.split(" ").filter(Boolean).map(Number);
  return { partitions, former: former.reverse() };
}

/** Where the keys of a type are claimed. */
export interface KeyPlaces {
  readonly queue: string;
  readonly formerQueues: readonly string[];
}

/** The layouts of queues, as this process knows them. */
export class Layouts {
  readonly #texts = new Map<string, string>();
  readonly #layouts = new Map<string, Layout>();
  readonly #listeners: ((queue: string) => void)[] = [];

  /** As it is stored; "" where the queue was never divided. */
  textOf(queue: string): string {
    return this.#texts.get(queue) ?? "";
  }

  of(queue: string): Layout {
    return this.#layouts.get(queue) ?? UNDIVIDED;
  }

  learn(queue: string, text: string): void {
    if (text === this.textOf(queue)) return;
    this.#texts.set(queue, text);
    this.#layouts.set(queue, parseLayout(text));
    for (const listener of this.#listeners) listener(queue);
  }

  /** Called when the layout of a queue has changed. */
  onChange(listener: (queue: string) => void): void {
    this.#listeners.push(listener);
  }

  /** The partitions in which a key can be claimed, the oldest first; the last is where its job goes now. */
  homesOf({ queue, formerQueues }: KeyPlaces, dedupKey: string): readonly string[] {
    if (formerQueues.length === 0 && this.#layouts.size === 0) return [queue];
    const homes = [...formerQueues, queue].flatMap((name) => {
      const { partitions, former } = this.of(name);
      return [...former, partitions].map((count) => partitionOf(name, count, dedupKey));
    });
    const own = homes.at(-1) ?? queue;
    return [...new Set(homes.filter((home) => home !== own)), own];
  }
}

/** The queue was divided in another way meanwhile: the job may belong elsewhere, so nothing was added. */
export class LayoutChanged extends HoldfastError {
  constructor() {
    super("STORE_UNAVAILABLE", "The queue is being divided");
  }
}

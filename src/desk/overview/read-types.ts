import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** The jobs of one type in one list of a partition now. */
export interface TypeNow {
  readonly type: string;
  readonly waiting: number;
  /** Whether `waiting` is computed from a sample. */
  readonly isEstimate: boolean;
  /** Since when the first one could run, in milliseconds since 1970; undefined where none waits. */
  readonly waitingSince: number | undefined;
  readonly active: number;
}

/** Occupies Redis for about a millisecond. */
const LOOKED_AT = 500;
const FIELDS = 3;

const script = loadScript(import.meta.url, "types-now.lua");

/** Reads how many jobs of each type wait and run, at the same cost at any depth: exactly for short queues, else from a sample. */
export async function readTypes({ client, keys }: QueueStore): Promise<TypeNow[]> {
  const reply = await script.run(client, [keys.own("workers")], [keys.start, LOOKED_AT]);
  const [wait = [], paused = [], prioritized = [], held = [], active = []] = reply as (string | number)[][];
  return [
    ...[wait, paused, prioritized, held].flatMap((list) =>
      typesIn(list).map((found) => ({ ...found, waiting: found.count, active: 0 })),
    ),
    ...typesIn(active).map((found) => ({
      ...found,
      waiting: 0,
      active: found.count,
      waitingSince: undefined,
    })),
  ];
}

function typesIn([length, lookedAt, ...found]: readonly (string | number)[]) {
  const share = Number(length) / Math.max(1, Number(lookedAt));
  return Array.from({ length: found.length / FIELDS }, (_, index) => {
    const [type = "", count, since] = found.slice(index * FIELDS);
    return {
      type: String(type),
      count: Math.round(Number(count) * share),
      isEstimate: share > 1,
      waitingSince: Number(since),
    };
  });
}

import type { QueueSettings, Rate } from "../job/application.ts";

/** Settings of one queue. */
export interface QueueDefinition {
  /**
   * How many of its attempts one worker process runs at a time; `HOLDFAST_CONCURRENCY` overrides it by name.
   *
   * @default what HOLDFAST_CONCURRENCY says for every queue
   */
  readonly concurrency?: number;
  /**
   * How many of its jobs run at a time in all workers together. An operator can override it with `holdfast queues limit`.
   *
   * @default no limit
   */
  readonly globalConcurrency?: number;
  /**
   * How many of its jobs start in a time in all workers together, such as `"10/1s"`: a number, and `ms`, `s`, `m` or `h`. An operator
   * can override it with `holdfast queues limit`.
   *
   * @default no limit
   */
  readonly rate?: string;
  /**
   * How many partitions a new queue gets, 1 to 64: a hot queue spreads over as many slots of a Redis Cluster. A queue that is in use
   * is divided by `holdfast queues partition`.
   *
   * @default 1
   */
  readonly partitions?: number;
}

/** A worker has a connection for each. */
export const PARTITIONS_MAX = 64;
const CONCURRENCY_MAX = 10_000;
const GLOBAL_CONCURRENCY_MAX = 1_000_000;
const RATE_MAX = 1_000_000;
const DAY_MS = 24 * 60 * 60_000;

const units = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 60 * 60_000],
]);

export const RATE_EXPECTED = 'a rate such as "10/1s": a number, and a time in ms, s, m or h of at most a day';

/** @returns undefined for a text that is no rate */
export function parseRate(text: string): Rate | undefined {
  const [, count, time, unit = ""] = /^(\d{1,7})\/(\d{1,9})?(ms|s|m|h)$/.exec(text) ?? [];
  const rate = { count: Number(count), perMs: Number(time ?? 1) * (units.get(unit) ?? 0) };
  const isRate = rate.count >= 1 && rate.count <= RATE_MAX && rate.perMs >= 1 && rate.perMs <= DAY_MS;
  return isRate ? rate : undefined;
}

export function formatRate({ count, perMs }: Rate): string {
  const [unit = "ms", ms = 1] = [...units].reverse().find(([, each]) => perMs % each === 0) ?? [];
  return `${count}/${perMs / ms}${unit}`;
}

/** @returns a line for each thing that is wrong */
export function queueFaults(name: string, definition: QueueDefinition, queues: readonly string[]): string[] {
  const { concurrency, globalConcurrency, rate, partitions, ...others } = definition;
  const of = (setting: string, expected: string, found: unknown) =>
    `queue "${name}": ${setting}: expected ${expected}, got ${JSON.stringify(found)}`;
  const count = (setting: string, value: number | undefined, most: number) =>
    value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)
      ? []
      : [of(setting, `a whole number from 1 to ${most}`, value)];
  return [
    ...(queues.includes(name) ? [] : [`queue "${name}": no job is in it`]),
    ...count("concurrency", concurrency, CONCURRENCY_MAX),
    ...count("globalConcurrency", globalConcurrency, GLOBAL_CONCURRENCY_MAX),
    ...count("partitions", partitions, PARTITIONS_MAX),
    ...(rate === undefined || parseRate(rate) !== undefined ? [] : [of("rate", RATE_EXPECTED, rate)]),
    ...Object.keys(others).map((key) => `queue "${name}": unknown setting "${key}"`),
  ];
}

export function queueSettings({
  concurrency,
  globalConcurrency,
  rate,
  partitions = 1,
}: QueueDefinition): QueueSettings {
  return {
    concurrency,
    limits: { concurrency: globalConcurrency, rate: rate === undefined ? undefined : parseRate(rate) },
    partitions,
  };
}

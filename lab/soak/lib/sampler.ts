import { Redis } from "ioredis";
import { scrape } from "../../../test/support/metrics.ts";
import { ofRoles, ofStore, type Point, type Quantity, type Series } from "./series.ts";
import type { System } from "./system.ts";

export interface Sampler {
  /** Samples everything once. */
  sample(): Promise<void>;
  readonly series: readonly Series[];
  /** The latest value, for a progress line. */
  latest(owner: string, name: string): number;
  stop(): void;
}

/** Samples the roles and Redis. Times count from this call. */
export function openSampler(system: System): Sampler {
  const startedAt = performance.now();
  const store = new Redis(system.store.url);
  const series = new Map<string, Series & { readonly points: Point[] }>();
  const add = (quantity: Quantity, owner: string, at: number, value: number | undefined) => {
    if (value === undefined || Number.isNaN(value))
      throw new Error(`${owner} does not report ${quantity.name}`);
    const key = `${owner}/${quantity.name}`;
    const own = series.get(key) ?? { quantity, owner, points: [] };
    own.points.push({ at, value });
    series.set(key, own);
  };
  return {
    async sample() {
      const at = (performance.now() - startedAt) / 1_000;
      const [ofStoreNow, ...ofRolesNow] = await Promise.all([
        readStore(store),
        ...[...system.metrics].map(async ([role, url]) => ({ role, ...(await scrape(url)) })),
      ]);
      for (const each of ofRoles) {
        for (const { role, value } of ofRolesNow) add(each, role, at, scaled(value(each.metric), each.scale));
      }
      for (const each of ofStore) add(each, "store", at, scaled(ofStoreNow(each.field), each.scale));
    },
    get series() {
      return [...series.values()];
    },
    latest: (owner, name) => series.get(`${owner}/${name}`)?.points.at(-1)?.value ?? Number.NaN,
    stop: () => store.disconnect(),
  };
}

function scaled(value: number | undefined, scale: number): number | undefined {
  return value === undefined ? undefined : value / scale;
}

/** The numbers of `INFO` by name, and the number of keys as `keys`. */
async function readStore(store: Redis): Promise<(field: string) => number | undefined> {
  const info = `${await store.info()}\nkeys:${await store.dbsize()}`;
  const fields = new Map(info.split(/\r?\n/).map((line) => line.split(":", 2) as [string, string]));
  return (field) => {
    const text = fields.get(field);
    return text === undefined ? undefined : Number(text);
  };
}

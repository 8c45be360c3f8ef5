import { z } from "zod";
import { type Scope, scopes } from "./api-keys.ts";

/** How many requests an API key may make in a window of time. */
export interface RateLimit {
  /** Counts requests to routes of this scope; null: to any route. */
  readonly scope: Scope | null;
  readonly count: number;
  /** The window's length in seconds. */
  readonly seconds: number;
}

/** The limits of each key by its name; `*` for every key without limits of its own. */
export type RateLimits = ReadonlyMap<string, readonly RateLimit[]>;

const entry = /^(\*|[A-Za-z0-9._-]{1,64})(?::([a-z]+))?=(\d{1,12})\/(\d{1,8})$/;
const YEAR_S = 366 * 24 * 60 * 60;

const numberTo = (max: number) => z.string().transform(Number).pipe(z.number().min(1).max(max));

const limit = z
  .string()
  .transform((text): (string | undefined)[] => entry.exec(text.trim())?.slice(1) ?? [])
  .pipe(z.tuple([z.string(), z.enum(scopes).optional(), numberTo(1_000_000_000), numberTo(YEAR_S)]));

/** `NAME=COUNT/SECONDS` or `NAME:SCOPE=COUNT/SECONDS`, comma-separated; `*` for NAME. */
export const rateLimits = z
  .string()
  .transform((value) => value.split(","))
  .pipe(z.array(limit).refine(areApart))
  .transform((entries): RateLimits => {
    const names = [...new Set(entries.map(([name]) => name))];
    const ofName = (wanted: string) => entries.filter(([name]) => name === wanted);
    return new Map(
      names.map((name) => [
        name,
        ofName(name).map(([, scope = null, count, seconds]) => ({ scope, count, seconds })),
      ]),
    );
  })
  .default(new Map());

/** Two limits over one window would share a counter. */
function areApart(entries: readonly z.output<typeof limit>[]): boolean {
  const windows = entries.map(([name, scope, , seconds]) => `${name}:${scope}/${seconds}`);
  return new Set(windows).size === windows.length;
}

import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { stopOnce } from "../../platform/lib/running.ts";
import type { Overview } from "./overview.ts";
import type { OverviewReader } from "./read-overview.ts";

/** One overview for everybody who looks. */
export type OverviewWatch = ReturnType<typeof openOverviewWatch>;

const INTERVAL_MS = 2_000;
/** After somebody has done something, no look follows another one sooner. */
const SOONEST_MS = 500;
/** Sampling ends this long after the last reader. */
const IDLE_AFTER_MS = 5 * 60_000;

/** Samples only while somebody looks. */
export function openOverviewWatch(reader: OverviewReader) {
  const listeners = new Set<(overview: Overview) => void>();
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Timeout | undefined;
  let usedAt = 0;
  let changedAt = Number.NEGATIVE_INFINITY;
  let latest: { readonly overview: Overview; readonly begunAt: number; readonly at: number } | undefined;

  const sample = oneAtATime(async () => {
    const begunAt = performance.now();
    const overview = await reader.read();
    latest = { overview, begunAt, at: performance.now() };
    hasten();
    return overview;
  });

  /** Looks anew, where what was seen last may be from before a change, and somebody looks. */
  function hasten(): void {
    if (listeners.size === 0 || soon !== undefined || latest === undefined || latest.begunAt > changedAt)
      return;
    const age = performance.now() - latest.at;
    soon = setTimeout(
      () => {
        soon = undefined;
        tick();
      },
      Math.max(1, SOONEST_MS - age),
    );
  }

  function tick(): void {
    if (listeners.size === 0 && performance.now() - usedAt > IDLE_AFTER_MS) {
      pause();
      return;
    }
    sample().then(
      (overview) => {
        for (const listener of listeners) listener(overview);
      },
      // Listeners see that nothing comes, and readers get the error.
      () => {},
    );
  }

  function use(): void {
    usedAt = performance.now();
    timer ??= setInterval(tick, INTERVAL_MS);
  }

  function pause(): void {
    clearInterval(timer);
    timer = undefined;
    clearTimeout(soon);
    soon = undefined;
    reader.clearHistory();
  }

  return {
    /** @throws HoldfastError `STORE_UNAVAILABLE` */
    async read(): Promise<Overview> {
      use();
      const isOld = latest !== undefined && latest.begunAt <= changedAt;
      const ageMax = isOld ? SOONEST_MS : INTERVAL_MS;
      if (latest !== undefined && performance.now() - latest.at < ageMax) return latest.overview;
      return await sample();
    },
    /** Says that somebody has done something: whoever looks sees it at once, not at the next look. */
    changed(): void {
      changedAt = performance.now();
      hasten();
    },
    /** Calls the listener with every overview from now on; with none while Redis is away. @returns a function that removes it */
    onView(listener: (overview: Overview) => void): () => void {
      use();
      listeners.add(listener);
      hasten();
      return () => {
        usedAt = performance.now();
        listeners.delete(listener);
      };
    },
    stop: stopOnce(async () => {
      listeners.clear();
      pause();
    }),
  };
}

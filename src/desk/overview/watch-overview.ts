import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { stopOnce } from "../../platform/lib/running.ts";
import type { Overview } from "./overview.ts";
import type { OverviewReader } from "./read-overview.ts";

/** One overview for everybody who looks. */
export type OverviewWatch = ReturnType<typeof openOverviewWatch>;

const INTERVAL_MS = 2_000;
/** Sampling ends this long after the last reader. */
const IDLE_AFTER_MS = 5 * 60_000;

/** Samples only while somebody looks. */
export function openOverviewWatch(reader: OverviewReader) {
  const listeners = new Set<(overview: Overview) => void>();
  let timer: NodeJS.Timeout | undefined;
  let usedAt = 0;
  let latest: { readonly overview: Overview; readonly at: number } | undefined;

  const sample = oneAtATime(async () => {
    const overview = await reader.read();
    latest = { overview, at: performance.now() };
    return overview;
  });

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
    reader.clearHistory();
  }

  return {
    /** @throws HoldfastError `STORE_UNAVAILABLE` */
    async read(): Promise<Overview> {
      use();
      if (latest !== undefined && performance.now() - latest.at < INTERVAL_MS) return latest.overview;
      return await sample();
    },
    /** Calls the listener with every overview from now on; with none while Redis is away. @returns a function that removes it */
    onView(listener: (overview: Overview) => void): () => void {
      use();
      listeners.add(listener);
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

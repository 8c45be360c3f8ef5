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
  let usedAt = 0;
  const timer = createTimer(tick);
  const samples = createSampler(reader, hasten);

  /** Looks anew, where what was seen last may be from before a change, and somebody looks. */
  function hasten(): void {
    const inMs = samples.dueInMs();
    if (listeners.size > 0 && inMs !== undefined) timer.onceIn(inMs);
  }

  function tick(): void {
    if (listeners.size === 0 && performance.now() - usedAt > IDLE_AFTER_MS) {
      pause();
      return;
    }
    // Listeners see that nothing comes, and readers get the error.
    samples.next().then(
      (overview) => tellEach(listeners, overview),
      () => {},
    );
  }

  function use(): void {
    usedAt = performance.now();
    timer.start();
  }

  function pause(): void {
    timer.stop();
    reader.clearHistory();
  }

  return {
    /** @throws HoldfastError `STORE_UNAVAILABLE` */
    async read(): Promise<Overview> {
      use();
      return samples.fresh() ?? (await samples.next());
    },
    /** Says that somebody has done something: whoever looks sees it at once, not at the next look. */
    changed: samples.outdate,
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

function tellEach(listeners: Iterable<(overview: Overview) => void>, overview: Overview): void {
  for (const listener of listeners) listener(overview);
}

/** Knows whether what was read last is from before a change. @param onNews is called after each reading and each change */
function createSampler(reader: OverviewReader, onNews: () => void) {
  let changedAt = Number.NEGATIVE_INFINITY;
  let latest: { readonly overview: Overview; readonly begunAt: number; readonly at: number } | undefined;
  const isOutdated = () => latest !== undefined && latest.begunAt <= changedAt;
  return {
    next: oneAtATime(async () => {
      const begunAt = performance.now();
      const overview = await reader.read();
      latest = { overview, begunAt, at: performance.now() };
      onNews();
      return overview;
    }),
    outdate(): void {
      changedAt = performance.now();
      onNews();
    },
    /** The latest, unless it is too old. */
    fresh(): Overview | undefined {
      if (latest === undefined) return undefined;
      const ageMax = isOutdated() ? SOONEST_MS : INTERVAL_MS;
      return performance.now() - latest.at < ageMax ? latest.overview : undefined;
    },
    /** In how many milliseconds it is to be read again because of a change; undefined where none was since. */
    dueInMs(): number | undefined {
      if (latest === undefined || !isOutdated()) return undefined;
      return Math.max(1, SOONEST_MS - (performance.now() - latest.at));
    },
  };
}

/** Ticks every two seconds, and once in between where that is asked for. */
function createTimer(tick: () => void) {
  let timer: NodeJS.Timeout | undefined;
  let once: NodeJS.Timeout | undefined;
  return {
    start(): void {
      timer ??= setInterval(tick, INTERVAL_MS);
    },
    onceIn(ms: number): void {
      once ??= setTimeout(() => {
        once = undefined;
        tick();
      }, ms);
    },
    stop(): void {
      clearInterval(timer);
      clearTimeout(once);
      timer = undefined;
      once = undefined;
    },
  };
}

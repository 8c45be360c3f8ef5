import type { ChildProcess } from "node:child_process";
import { answer, ask } from "../lib/ask.ts";
import { oneAtATime } from "../lib/one-at-a-time.ts";
import { mergeMetrics, parseMetrics, printMetrics, type Told } from "./merge-metrics.ts";
import type { Metrics } from "./metrics.ts";

const OF_ONE = "metrics";
const OF_ALL = "metrics of all";

/** Above the 1.5 s that a process gives its store. */
const ONE_MAX_MS = 2_000;
const ALL_MAX_MS = ONE_MAX_MS + 1_000;

/** For one of several processes that share a port: whichever of them is scraped tells what all of them have to tell. */
export function shareMetrics(metrics: Metrics): Metrics {
  answer(process, OF_ONE, metrics.scrape);
  return { ...metrics, scrape: () => ask(process, OF_ALL, ALL_MAX_MS) };
}

/** Gathers, in the process that started them, what several processes tell. */
export interface MetricsGatherer {
  /** Counts a process in once it is ready, and what it told last when it is gone. */
  add(child: ChildProcess): void;
}

export function gatherMetrics(): MetricsGatherer {
  const latest = new Map<ChildProcess, Told>();
  let gone: Told = new Map();

  async function askOne(child: ChildProcess): Promise<Told | undefined> {
    const text = await ask(child, OF_ONE, ONE_MAX_MS).catch(() => undefined);
    if (text === undefined) return undefined;
    const told = parseMetrics(text);
    if (latest.has(child)) latest.set(child, told);
    return told;
  }

  const gather = oneAtATime(async () => {
    const present: Told[] = [];
    const past = [gone];
    await Promise.all(
      [...latest].map(async ([child, before]) => {
        const told = await askOne(child);
        if (told === undefined) past.push(before);
        else present.push(told);
      }),
    );
    return printMetrics(mergeMetrics(present, past));
  });

  return {
    add(child) {
      latest.set(child, new Map());
      child.once("exit", () => {
        gone = mergeMetrics([], [gone, latest.get(child) ?? new Map()]);
        latest.delete(child);
      });
      answer(child, OF_ALL, gather);
    },
  };
}

import { actJob } from "../lib/act-jobs.ts";
import { type ApiCaller, openApiCaller } from "../lib/api-calls.ts";
import { type Bench, untilEnded, withBench } from "../lib/bench.ts";
import { check } from "../lib/checker.ts";
import { apiDoor } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import type { Answer } from "../lib/inside/caller.ts";
import { withoutDeadline } from "../lib/mutations.ts";
import type { Way } from "../lib/proxy.ts";
import { withHand } from "../lib/store-hand.ts";
import { inLanes, until } from "../lib/waiting.ts";

export const badWay: Experiment = {
  number: 4,
  title: "Redis cannot be reached, or cannot be written to",
  fault:
    "the connection to Redis becomes a black hole, half-open, or slow; Redis is stopped, out of memory, read-only; " +
    "meanwhile every route of the API is called, again and again",
  mustHold: "every call is answered in under 2 s; afterwards everything resumes by itself; nothing repeated",
  async run(context) {
    const [times, forMs] = context.isQuick ? [1, 0] : [6, 5_000];
    const chosen = context.isQuick ? theHardest : troubles;
    const [{ rows, verdict }, control] = await Promise.all([
      sufferAll(context, chosen, times, forMs),
      deadlineControl(context),
    ]);
    verdict.counts.faults = rows.length * times;
    const kinds = new Set(rows.flatMap(({ answers }) => answers.map(({ call }) => call)));
    return {
      counts: verdict.counts,
      table: { head: tableHead, rows: rows.map(tableRow) },
      measured: [
        `${rows.reduce((calls, { answers }) => calls + answers.length, 0)} calls of ${kinds.size} kinds, every route of the API's reference`,
        "everything has resumed when every call is answered as before, each worker has started a job, and the scheduler has enqueued one",
      ],
      broken: [...brokenBy(verdict), ...rows.flatMap(brokenIn)],
      controls: [control],
    };
  },
};

const SIZE = { workers: 2, concurrency: 4, api: true, scheduler: true, proxied: true };
const ANSWERED_WITHIN_MS = 2_000;
const RESUMED_WITHIN_MS = 30_000;

interface Laboratory {
  readonly bench: Bench;
  readonly caller: ApiCaller;
  readonly context: Context;
}

/** How the store gets into trouble, and out of it. */
interface Trouble {
  readonly name: string;
  begin(bench: Bench): Promise<void>;
  end(bench: Bench): Promise<void>;
}

const troubles: readonly Trouble[] = [
  wayTrouble("a black hole", { kind: "black hole" }),
  wayTrouble("half-open connections", { kind: "half-open" }),
  wayTrouble("answers 0.4 s late", { kind: "delayed", ms: 400 }),
  wayTrouble("answers 1.1 s late", { kind: "delayed", ms: 1_100 }),
  {
    name: "stopped",
    begin: async ({ store }) => void process.kill(store.pid, "SIGSTOP"),
    end: async ({ store }) => void process.kill(store.pid, "SIGCONT"),
  },
  storeTrouble("out of memory", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
  // A replica of nobody: it keeps what it has, and takes no writes.
  storeTrouble("read-only", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
];

const theHardest = troubles.filter(({ name }) => name !== "answers 0.4 s late");

function wayTrouble(name: string, way: Way): Trouble {
  return {
    name,
    begin: async ({ proxy }) => proxy?.become(way),
    end: async ({ proxy }) => proxy?.become({ kind: "open" }),
  };
}

function storeTrouble(name: string, begin: readonly string[], end: readonly string[]): Trouble {
  return { name, begin: (bench) => tellStore(bench, begin), end: (bench) => tellStore(bench, end) };
}

async function tellStore({ store }: Bench, [command = "", ...args]: readonly string[]): Promise<void> {
  await withHand(store, (hand) => hand.call(command, args));
}

/** What came of one kind of trouble. */
interface Row {
  readonly name: string;
  readonly answers: readonly Answer[];
  /** Milliseconds each; undefined where it was too long. */
  readonly resumed: readonly (number | undefined)[];
  /** What had not resumed. */
  readonly missing: readonly string[];
}

async function sufferAll(context: Context, chosen: readonly Trouble[], times: number, forMs: number) {
  return await withBench(SIZE, async (bench) => {
    const caller = await openApiCaller(bench);
    try {
      const rows: Row[] = [];
      for (const trouble of chosen)
        rows.push(await sufferAgain({ bench, caller, context }, trouble, times, forMs));
      return { rows, verdict: await check(bench, 60_000) };
    } finally {
      await caller.stop();
    }
  });
}

async function sufferAgain(
  laboratory: Laboratory,
  trouble: Trouble,
  times: number,
  forMs: number,
): Promise<Row> {
  const seen = [];
  for (let time = 0; time < times; time += 1) {
    laboratory.context.say(`${trouble.name}, ${time + 1} of ${times}`);
    seen.push(await suffer(laboratory, trouble, `${trouble.name}-${time}`, forMs));
  }
  return {
    name: trouble.name,
    answers: seen.flatMap(({ answers }) => answers),
    resumed: seen.map(({ resumedMs }) => resumedMs),
    missing: seen.flatMap(({ missing }) => missing),
  };
}

/** More than one worker can take at a time, so that each gets some. */
const LANES = 3 * SIZE.concurrency;
const LOAD_PATIENCE_MS = 1_000;

async function suffer({ bench, caller, context }: Laboratory, trouble: Trouble, name: string, forMs: number) {
  const door = apiDoor(async () => (await bench.api?.ready())?.url ?? "");
  let isOver = false;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const accepted = await bench.client.submit(actJob(key, context.random), door);
    // So that the load does not outrun the workers.
    await untilEnded(bench, accepted?.id, LOAD_PATIENCE_MS);
  });
  const answers = await bench.troubled(async () => {
    await trouble.begin(bench);
    const given = await caller.callAll(forMs);
    await trouble.end(bench);
    return given;
  });
  const endedAt = Date.now();
  let missing: string[] = [];
  const look = async () => {
    missing = await notResumed(bench, caller, endedAt);
    return missing.length === 0;
  };
  const hasResumed = await until(look, { withinMs: RESUMED_WITHIN_MS });
  const resumedMs = hasResumed ? Date.now() - endedAt : undefined;
  isOver = true;
  await load;
  return { answers, resumedMs, missing };
}

async function notResumed(bench: Bench, caller: ApiCaller, since: number): Promise<string[]> {
  const begun = bench.trace.read().filter(({ event, at }) => event === "begun" && at > since);
  const isTicking = bench.told().some(({ job, at }) => job.startsWith("schedule:each-second:") && at > since);
  const idle = [
    ...bench.workers.filter(({ life }) => !begun.some((step) => step.life === life)).map(({ name }) => name),
    ...(isTicking ? [] : ["the scheduler"]),
  ];
  const unusual = await caller.unusual();
  return [...idle, ...unusual.map(({ call, status }) => `${call} (${status})`)];
}

const tableHead = [
  "Redis, or the connection to it, is",
  "times",
  "calls",
  "answered 503",
  "p99 to 503 (ms)",
  "longest of all (ms)",
  "over 2 s",
  "resumed after, max (ms)",
];

function tableRow({ name, answers, resumed }: Row): (string | number)[] {
  const refused = answers.filter(({ status }) => status === 503).map(({ ms }) => ms);
  const sorted = [...refused].sort((a, b) => a - b);
  return [
    name,
    resumed.length,
    answers.length,
    refused.length,
    Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
    Math.round(Math.max(...answers.map(({ ms }) => ms))),
    answers.filter(isLate).length,
    resumed.includes(undefined) ? "–" : Math.max(...resumed.map(Number)),
  ];
}

function isLate({ ms }: Answer): boolean {
  return ms > ANSWERED_WITHIN_MS;
}

function brokenIn({ name, answers, missing }: Row): string[] {
  const late = answers.filter(isLate);
  // What the store cannot do just now is 503; everything else is the answer that it always is.
  const wrong = answers.filter(({ status }) => status === 0 || (status >= 500 && status !== 503));
  return [
    ...late.map(
      ({ call, status, ms }) => `${name}: ${call} was answered ${status} after ${Math.round(ms)} ms`,
    ),
    ...wrong.map(({ call, status }) => `${name}: ${call} was answered ${status}`),
    ...missing.map((what) => `${name}: ${what} had not resumed after ${RESUMED_WITHIN_MS / 1_000} s`),
  ];
}

async function deadlineControl(context: Context): Promise<Control> {
  context.say("control: without deadline");
  return await withBench({ workers: 0, api: true, proxied: true, cut: withoutDeadline }, async (bench) => {
    const { url = "" } = (await bench.api?.ready()) ?? {};
    bench.proxy?.become({ kind: "black hole" });
    const begun = performance.now();
    const answer = await fetch(`${url}/overview`, { signal: AbortSignal.timeout(3_000) }).catch(
      () => undefined,
    );
    await answer?.arrayBuffer();
    const ms = performance.now() - begun;
    return {
      protection: "deadline",
      isCaught: ms > ANSWERED_WITHIN_MS,
      seen:
        answer === undefined
          ? "no answer within 3 s"
          : `answered ${answer.status} after ${Math.round(ms)} ms`,
    };
  });
}

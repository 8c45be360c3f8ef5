import type { Network } from "../../lib/proxy.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { type ApiCaller, openApiCaller } from "../lib/api-calls.ts";
import { check } from "../lib/checker.ts";
import { apiSubmitter } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import type { Answer } from "../lib/inside/caller.ts";
import { withoutDeadline } from "../lib/mutations.ts";
import { type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import { withRedis } from "../lib/with-redis.ts";

export const badNetwork: Experiment = {
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
      disturbByAll(context, chosen, times, forMs),
      deadlineControl(context),
    ]);
    verdict.counts.faults = rows.reduce((faults, { resumed }) => faults + resumed.length, 0);
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

/** Nobody dies, but a lock must not outlast the time to resume. */
const LOCK = { HOLDFAST_LOCK_MS: "5000" };
const SIZE = { workers: 2, concurrency: 4, api: true, scheduler: true, proxied: true, env: LOCK };
const ANSWERED_WITHIN_MS = 2_000;
const RESUMED_WITHIN_MS = 90_000;
/** A slow machine delays any answer, once; a call without a deadline is late each time. */
const LATE_TIMES = 3;

interface Laboratory {
  readonly testbed: Testbed;
  readonly caller: ApiCaller;
  readonly context: Context;
}

/** A way to disturb Redis, and to end that. */
interface Trouble {
  readonly name: string;
  begin(testbed: Testbed): Promise<void>;
  end(testbed: Testbed): Promise<void>;
}

const troubles: readonly Trouble[] = [
  networkTrouble("a black hole", { kind: "black hole" }),
  networkTrouble("half-open connections", { kind: "half-open" }),
  networkTrouble("answers 0.4 s late", { kind: "delayed", ms: 400 }),
  networkTrouble("answers 1.1 s late", { kind: "delayed", ms: 1_100 }),
  {
    name: "stopped",
    begin: async ({ store }) => void process.kill(store.pid, "SIGSTOP"),
    end: async ({ store }) => void process.kill(store.pid, "SIGCONT"),
  },
  redisTrouble("out of memory", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
  // A replica of a server that does not exist: it keeps its data and refuses writes.
  redisTrouble("read-only", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
];

const theHardest = troubles.filter(({ name }) => name !== "answers 0.4 s late");

function networkTrouble(name: string, network: Network): Trouble {
  return {
    name,
    begin: async ({ proxy }) => proxy?.become(network),
    end: async ({ proxy }) => proxy?.become({ kind: "open" }),
  };
}

function redisTrouble(name: string, begin: readonly string[], end: readonly string[]): Trouble {
  return { name, begin: (testbed) => callRedis(testbed, begin), end: (testbed) => callRedis(testbed, end) };
}

async function callRedis({ store }: Testbed, [command = "", ...args]: readonly string[]): Promise<void> {
  await withRedis(store, (redis) => redis.call(command, args));
}

/** The results for one kind of trouble. */
interface Row {
  readonly name: string;
  readonly answers: readonly Answer[];
  /** Calls that were answered late `LATE_TIMES` times, one after the other. */
  readonly late: readonly string[];
  /** Milliseconds each; undefined if it took too long. */
  readonly resumed: readonly (number | undefined)[];
  /** Whatever had not resumed. */
  readonly missing: readonly string[];
}

async function disturbByAll(context: Context, chosen: readonly Trouble[], times: number, forMs: number) {
  return await withTestbed(SIZE, async (testbed) => {
    const caller = await openApiCaller(testbed);
    try {
      const rows: Row[] = [];
      for (const trouble of chosen)
        rows.push(await disturbRepeatedly({ testbed, caller, context }, trouble, times, forMs));
      return { rows, verdict: await check(testbed, 120_000) };
    } finally {
      await caller.stop();
    }
  });
}

async function disturbRepeatedly(
  laboratory: Laboratory,
  trouble: Trouble,
  times: number,
  forMs: number,
): Promise<Row> {
  const seen = [];
  for (let time = 0; time < times; time += 1) {
    laboratory.context.say(`${trouble.name}, ${time + 1} of ${times}`);
    seen.push(...(await disturbUntilInTime(laboratory, trouble, `${trouble.name}-${time}`, forMs)));
  }
  return {
    name: trouble.name,
    answers: seen.flatMap(({ answers }) => answers),
    late: seen.flatMap(({ late }) => late),
    resumed: seen.map(({ resumedMs }) => resumedMs),
    missing: seen.flatMap(({ missing }) => missing),
  };
}

/** Disturbs again while the same call is late. */
async function disturbUntilInTime(laboratory: Laboratory, trouble: Trouble, name: string, forMs: number) {
  const seen = [];
  let late: ReadonlySet<string> = new Set();
  for (let time = 1; time <= LATE_TIMES; time += 1) {
    const once = await disturb(laboratory, trouble, `${name}-${time}`, forMs);
    const lateNow = lateIn(once.answers);
    late = new Set(time === 1 ? lateNow : lateNow.filter((call) => late.has(call)));
    seen.push({ ...once, late: time === LATE_TIMES ? [...late] : [] });
    if (late.size === 0) break;
  }
  return seen;
}

/** More than one worker can run at a time, so that both get some. */
const LANES = 3 * SIZE.concurrency;
const LOAD_WAIT_MS = 5_000;

async function disturb(
  { testbed, caller, context }: Laboratory,
  trouble: Trouble,
  name: string,
  forMs: number,
) {
  const submitter = apiSubmitter(async () => (await testbed.api?.ready())?.url ?? "");
  let isOver = false;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const accepted = await testbed.client.submit(actJob(key, context.random), submitter);
    // Keep the load from outrunning the workers.
    await untilEnded(testbed, accepted?.id, LOAD_WAIT_MS);
  });
  const answers = await testbed.outages.during(async () => {
    await trouble.begin(testbed);
    const answers = await caller.callAll(forMs);
    await trouble.end(testbed);
    return answers;
  });
  const endedAt = Date.now();
  let missing: string[] = [];
  let unusual: readonly Answer[] | undefined;
  const look = async () => {
    // A call that was answered as before has resumed: a busy machine may be too slow for all of them at once.
    unusual = await caller.unusual(unusual?.map(({ call }) => call));
    missing = [...idleSince(testbed, endedAt), ...unusual.map(({ call, status }) => `${call} (${status})`)];
    return missing.length === 0;
  };
  const hasResumed = await until(look, { withinMs: RESUMED_WITHIN_MS });
  const resumedMs = hasResumed ? Date.now() - endedAt : undefined;
  isOver = true;
  await load;
  return { answers, resumedMs, missing };
}

/** Roles that have done nothing since. */
function idleSince(testbed: Testbed, since: number): string[] {
  const begun = testbed.trace.read().filter(({ event, at }) => event === "begun" && at > since);
  const isTicking = testbed
    .witnessed()
    .some(({ job, at }) => job.startsWith("schedule:each-second:") && at > since);
  return [
    ...testbed.workers
      .filter(({ life }) => !begun.some((step) => step.life === life))
      .map(({ name }) => name),
    ...(isTicking ? [] : ["the scheduler"]),
  ];
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

/** Answered from memory, so what it takes is the machine's own. */
const MEASURE = "GET /health/live";

/** Calls that were late for another reason than a slow machine. */
function lateIn(answers: readonly Answer[]): string[] {
  const measured = answers.filter(({ call }) => call === MEASURE).map(({ ms }) => ms);
  const machineMs = Math.max(0, ...measured);
  const isOver = ({ call, ms }: Answer) => ms > ANSWERED_WITHIN_MS + (call === MEASURE ? 0 : machineMs);
  return answers.filter(isOver).map(({ call }) => call);
}

function isLate({ ms }: Answer): boolean {
  return ms > ANSWERED_WITHIN_MS;
}

/** 503 while Redis cannot do it; otherwise the usual answer. Without an answer for long it is late. */
function isWrong(answer: Answer): boolean {
  const { status } = answer;
  return status === 0 ? !isLate(answer) : status >= 500 && status !== 503;
}

function brokenIn({ name, answers, late, missing }: Row): string[] {
  const wrong = answers.filter(isWrong);
  return [
    ...late.map((call) => `${name}: ${call} was answered after more than 2 s, ${LATE_TIMES} times in a row`),
    ...wrong.map(
      ({ call, status, failure }) =>
        `${name}: ${call} was ${failure === undefined ? `answered ${status}` : `not answered: ${failure}`}`,
    ),
    ...missing.map((what) => `${name}: ${what} had not resumed after ${RESUMED_WITHIN_MS / 1_000} s`),
  ];
}

/** A deadline on a slow machine is not over so late. */
const NO_ANSWER_MS = 8_000;

async function deadlineControl(context: Context): Promise<Control> {
  context.say("control: without deadline");
  return await withTestbed(
    { workers: 0, api: true, proxied: true, mutation: withoutDeadline },
    async (testbed) => {
      const { url = "" } = (await testbed.api?.ready()) ?? {};
      testbed.proxy?.become({ kind: "black hole" });
      const signal = AbortSignal.timeout(NO_ANSWER_MS);
      const answer = await fetch(`${url}/overview`, { signal }).catch(() => undefined);
      return {
        protection: "deadline",
        isCaught: answer === undefined,
        seen:
          answer === undefined
            ? `no answer within ${NO_ANSWER_MS / 1_000} s`
            : `an answer, with ${answer.status}`,
      };
    },
  );
}

import { setTimeout as sleep } from "node:timers/promises";
import { actJobs, repeated } from "../lib/act-jobs.ts";
import { allEnded, type Bench, withBench } from "../lib/bench.ts";
import { check, type Verdict } from "../lib/checker.ts";
import { findStuck } from "../lib/doubt-check.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutGoingOn } from "../lib/mutations.ts";
import { inLanes, until } from "../lib/waiting.ts";

const OPERATORS = 4;
/** Longer than the sweep takes, were it there. */
const STUCK_AFTER_MS = 5_000;
const CANCEL_SHARE = 0.1;
/** Those that leave a doubt behind. */
const points = ["reserve:after", "effect:begun", "effect:recorded", "commit:before"] as const;

export const operators: Experiment = {
  number: 24,
  title: "Operators get in each other's way",
  fault:
    "several operators resolve, retry and cancel the same jobs at once, over an API that is killed; workers are killed",
  mustHold: "nothing about a doubt gets stuck; each doubt is resolved once; effects ≤ 1",
  async run(context) {
    const size = context.isQuick
      ? { perPoint: 3, kills: 2, isBusy: true, restMs: 20_000 }
      : { perPoint: 40, kills: 40, isBusy: true, restMs: 60_000 };
    const { verdict, acts, twice, cancelled } = await operate(context, size);
    // What an operator has cancelled is meant to fail, and what one has resolved was in doubt before.
    verdict.counts.failed -= cancelled;
    verdict.counts.concealed = 0;
    const stuck = await withoutProtection(context);
    return {
      counts: verdict.counts,
      table: { head: ["act", "answered", "times"], rows: acts },
      measured: [`${cancelled} jobs cancelled`],
      broken: [...brokenBy(verdict), ...twice.map((id) => `${id}: a doubt was resolved twice`)],
      controls: [
        {
          protection: withoutGoingOn.name,
          isCaught: stuck.length > 0,
          seen: `${stuck.length} doubts stuck`,
        },
      ],
    };
  },
};

interface Size {
  readonly perPoint: number;
  /** Of the API, while operators are at work. */
  readonly kills: number;
  /** Whether operators also cancel, and retry what has failed; never what was cancelled. */
  readonly isBusy: boolean;
  /** How long, at most, they go on once all jobs are accepted, in milliseconds. */
  readonly restMs: number;
}

interface Operated {
  readonly verdict: Verdict;
  readonly acts: readonly (readonly [act: string, answer: string, times: number])[];
  /** Jobs of which more resolutions were answered than the audit list knows of. */
  readonly twice: readonly string[];
  readonly cancelled: number;
}

async function operate(context: Context, size: Size): Promise<Operated> {
  return await withBench({ workers: 3, concurrency: 4, api: true }, async (bench) => {
    const tally = await workWhile(bench, context, size);
    const verdict = await check(bench, 90_000);
    verdict.counts.faults = bench.deaths.length;
    const recorded = await auditedResolutions(bench);
    const cancelled = verdict.jobs.filter(({ status }) => status?.error?.code === "CANCELLED").length;
    const twice = [...tally.resolved]
      .filter(([id, times]) => times > (recorded.get(id) ?? 0))
      .map(([id]) => id);
    const acts = [...tally.acts].map(([name, times]) => {
      const [act = "", answer = ""] = name.split(" ");
      return [act, answer, times] as const;
    });
    return { verdict, acts, twice, cancelled };
  });
}

/** @returns what is stuck where a resolution lets nothing go on */
async function withoutProtection(context: Context): Promise<string[]> {
  context.say("control: without going on");
  const options: { cut: Mutation } = { cut: withoutGoingOn };
  return await withBench({ workers: 2, concurrency: 4, api: true, ...options }, async (bench) => {
    await workWhile(bench, context, { perPoint: 1, kills: 0, isBusy: false, restMs: 6_000 });
    const { jobs } = await check(bench, 10_000);
    return await findStuck(bench, jobs, STUCK_AFTER_MS);
  });
}

interface ListedJob {
  readonly id: string;
  readonly error: { readonly code: string } | null;
}

interface Tally {
  /** By act and answer. */
  readonly acts: Map<string, number>;
  /** How many resolutions of a job's effect were answered 200. */
  readonly resolved: Map<string, number>;
}

/** Jobs that leave doubts, and operators who act on whatever they see, until all jobs are accepted and nothing is in doubt. */
async function workWhile(bench: Bench, context: Context, size: Size): Promise<Tally> {
  const tally: Tally = { acts: new Map(), resolved: new Map() };
  const work = { isOver: false };
  const injections = repeated(points, size.perPoint).map((at) => ({ at, how: "kill" }) as const);
  const all = Array.from({ length: OPERATORS }, () =>
    operateUntil(bench, context, tally, size.isBusy, () => work.isOver),
  );
  const killing = killApi(bench, context, size.kills);
  await inLanes(actJobs("operated", context.random, injections, 2), 6, async (job) => {
    context.say(`${bench.client.acknowledged.length} jobs, ${bench.deaths.length} kills`);
    await bench.client.submit(job);
    await sleep(context.random.between(0, 100)); // jobs that come in while operators act
  });
  await killing;
  const isAtRest = async () => (await allEnded(bench, 0)).size === 0 && (await doubtsOf(bench))?.length === 0;
  await until(isAtRest, { withinMs: size.restMs, everyMs: 200 });
  work.isOver = true;
  await Promise.all(all);
  return tally;
}

async function killApi({ api }: Bench, { random }: Context, times: number): Promise<void> {
  for (let kill = 0; kill < times; kill += 1) {
    await sleep(random.between(100, 1_000)); // a random moment is the point
    api?.signal("SIGKILL");
    await api?.ready().catch(() => {});
  }
}

async function operateUntil(
  bench: Bench,
  context: Context,
  tally: Tally,
  isBusy: boolean,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    for (const { jobId, effect } of (await doubtsOf(bench)) ?? [])
      await resolveOne(bench, tally, jobId, effect);
    for (const id of isBusy ? await failedJobs(bench) : [])
      await act(bench, tally, "retry", `/jobs/${id}/retry`);
    const { acknowledged } = bench.client;
    if (isBusy && acknowledged.length > 0 && context.random.next() < CANCEL_SHARE)
      await act(bench, tally, "cancel", `/jobs/${context.random.pick(acknowledged).id}/cancel`);
    await sleep(50);
  }
}

async function failedJobs(bench: Bench): Promise<string[]> {
  const page = await ask<{ jobs: ListedJob[] }>(bench, "/jobs?state=failed&limit=5");
  return (page?.jobs ?? []).filter(({ error }) => error?.code !== "CANCELLED").map(({ id }) => id);
}

/** @returns undefined where the API is dead */
async function doubtsOf(bench: Bench): Promise<{ jobId: string; effect: string }[] | undefined> {
  const page = await ask<{ doubts: { jobId: string; effect: string }[] }>(bench, "/doubts?limit=20");
  return page?.doubts;
}

/** As the witness knows it: an operator who looks, looks there. */
async function resolveOne(bench: Bench, tally: Tally, jobId: string, effect: string): Promise<void> {
  const key = bench.client.acknowledged.find(({ id }) => id === jobId)?.key;
  const as = bench.told().some(({ job }) => job === key) ? "done" : "not-done";
  const path = `/jobs/${jobId}/effects/${effect}/resolve`;
  const status = await act(bench, tally, "resolve", path, { as, evidence: "the witness" });
  if (status === 200) tally.resolved.set(jobId, (tally.resolved.get(jobId) ?? 0) + 1);
}

async function act(
  bench: Bench,
  tally: Tally,
  name: string,
  path: string,
  body: object = {},
): Promise<number> {
  const status = await send(bench, path, body);
  const row = `${name} ${status === 0 ? "nothing" : status}`;
  tally.acts.set(row, (tally.acts.get(row) ?? 0) + 1);
  return status;
}

/** @returns 0 where no answer came */
async function send({ api }: Bench, path: string, body: object): Promise<number> {
  try {
    const { url = "" } = (await api?.ready()) ?? {};
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}

async function ask<T>({ api }: Bench, path: string): Promise<T | undefined> {
  try {
    const { url = "" } = (await api?.ready()) ?? {};
    return (await (await fetch(url + path)).json()) as T;
  } catch {
    return undefined;
  }
}

async function auditedResolutions(bench: Bench): Promise<Map<string, number>> {
  const { application, createOperator } = await bench.installation.library();
  const operator = await createOperator(application, { ...bench.env, REDIS_URL: bench.store.url });
  try {
    const recorded = new Map<string, number>();
    for (const { jobId } of await operator.auditTrail(100_000))
      recorded.set(jobId, (recorded.get(jobId) ?? 0) + 1);
    return recorded;
  } finally {
    await operator.stop();
  }
}

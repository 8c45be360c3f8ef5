import { setTimeout as sleep } from "node:timers/promises";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJobs, repeated } from "../lib/act-jobs.ts";
import { check, type Verdict } from "../lib/checker.ts";
import { findStuckSoon } from "../lib/doubt-check.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import { withoutGoingOn } from "../lib/mutations.ts";
import { allEnded, type Testbed, withTestbed } from "../lib/testbed.ts";

const OPERATORS = 4;
const CANCEL_SHARE = 0.1;
/** Points that leave a doubt. */
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
    // Cancelled jobs are meant to fail, and resolved ones were in doubt before.
    verdict.counts.failed -= cancelled;
    verdict.counts.concealed = 0;
    const control = await untilCaught(3, () => goingOnControl(context));
    return {
      counts: verdict.counts,
      table: { head: ["act", "answered", "times"], rows: acts },
      measured: [`${cancelled} jobs cancelled`],
      broken: [...brokenBy(verdict), ...twice.map((id) => `${id}: a doubt was resolved twice`)],
      controls: [control],
    };
  },
};

interface Size {
  readonly perPoint: number;
  /** Of the API, while operators work. */
  readonly kills: number;
  /** Whether operators also cancel, and retry failed jobs; never cancelled ones. */
  readonly isBusy: boolean;
  /** The longest time they go on after all jobs were accepted, in milliseconds. */
  readonly restMs: number;
}

interface Operated {
  readonly verdict: Verdict;
  readonly acts: readonly (readonly [act: string, answer: string, times: number])[];
  /** Jobs with more answered resolutions than the audit log has. */
  readonly twice: readonly string[];
  readonly cancelled: number;
}

async function operate(context: Context, size: Size): Promise<Operated> {
  return await withTestbed({ workers: 3, concurrency: 4, api: true }, async (testbed) => {
    const tally = await workWhile(testbed, context, size);
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = testbed.deaths.length;
    const recorded = await auditedResolutions(testbed);
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

/** A resolution does not release its job. */
async function goingOnControl(context: Context): Promise<Control> {
  context.say("control: without going on");
  const size = { workers: 2, concurrency: 4, api: true, mutation: withoutGoingOn };
  const stuck = await withTestbed(size, async (testbed) => {
    const work = workWhile(testbed, context, { perPoint: 1, kills: 0, isBusy: false, restMs: 30_000 });
    const found = await findStuckSoon(testbed);
    await work;
    return found;
  });
  return {
    protection: withoutGoingOn.name,
    isCaught: stuck.length > 0,
    seen: `${stuck.length} doubts stuck`,
  };
}

interface ListedJob {
  readonly id: string;
  readonly error: { readonly code: string } | null;
}

interface Tally {
  /** By action and answer. */
  readonly acts: Map<string, number>;
  /** Resolutions of each job that were answered 200. */
  readonly resolved: Map<string, number>;
}

/** Runs jobs that leave doubts, with operators at work, until every job was accepted and nothing is in doubt. */
async function workWhile(testbed: Testbed, context: Context, size: Size): Promise<Tally> {
  const tally: Tally = { acts: new Map(), resolved: new Map() };
  const work = { isOver: false };
  const injections = repeated(points, size.perPoint).map((at) => ({ at, how: "kill" }) as const);
  const all = Array.from({ length: OPERATORS }, () =>
    operateUntil(testbed, context, tally, size.isBusy, () => work.isOver),
  );
  const killing = killApi(testbed, context, size.kills);
  await inLanes(actJobs("operated", context.random, injections, 2), 6, async (job) => {
    context.say(`${testbed.client.acknowledged.length} jobs, ${testbed.deaths.length} kills`);
    await testbed.client.submit(job);
    await sleep(context.random.between(0, 100)); // jobs arrive while operators act
  });
  await killing;
  const isAtRest = async () =>
    (await allEnded(testbed, 0)).size === 0 && (await doubtsOf(testbed))?.length === 0;
  await until(isAtRest, { withinMs: size.restMs, everyMs: 200 });
  work.isOver = true;
  await Promise.all(all);
  return tally;
}

async function killApi({ api }: Testbed, { random }: Context, times: number): Promise<void> {
  for (let kill = 0; kill < times; kill += 1) {
    await sleep(random.between(100, 1_000)); // a random moment is the point
    api?.signal("SIGKILL");
    await api?.ready().catch(() => {});
  }
}

async function operateUntil(
  testbed: Testbed,
  context: Context,
  tally: Tally,
  isBusy: boolean,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    for (const { jobId, effect } of (await doubtsOf(testbed)) ?? [])
      await resolveOne(testbed, tally, jobId, effect);
    for (const id of isBusy ? await failedJobs(testbed) : [])
      await act(testbed, tally, "retry", `/jobs/${id}/retry`);
    const { acknowledged } = testbed.client;
    if (isBusy && acknowledged.length > 0 && context.random.next() < CANCEL_SHARE)
      await act(testbed, tally, "cancel", `/jobs/${context.random.pick(acknowledged).id}/cancel`);
    await sleep(50);
  }
}

async function failedJobs(testbed: Testbed): Promise<string[]> {
  const page = await ask<{ jobs: ListedJob[] }>(testbed, "/jobs?state=failed&limit=5");
  return (page?.jobs ?? []).filter(({ error }) => error?.code !== "CANCELLED").map(({ id }) => id);
}

/** @returns undefined if the API is dead */
async function doubtsOf(testbed: Testbed): Promise<{ jobId: string; effect: string }[] | undefined> {
  const page = await ask<{ doubts: { jobId: string; effect: string }[] }>(testbed, "/doubts?limit=20");
  return page?.doubts;
}

/** As the witness knows it, as an operator would check. */
async function resolveOne(testbed: Testbed, tally: Tally, jobId: string, effect: string): Promise<void> {
  const key = testbed.client.acknowledged.find(({ id }) => id === jobId)?.key;
  const as = testbed.witnessed().some(({ job }) => job === key) ? "done" : "not-done";
  const path = `/jobs/${jobId}/effects/${effect}/resolve`;
  const status = await act(testbed, tally, "resolve", path, { as, evidence: "the witness", confirm: true });
  if (status === 200) tally.resolved.set(jobId, (tally.resolved.get(jobId) ?? 0) + 1);
}

async function act(
  testbed: Testbed,
  tally: Tally,
  name: string,
  path: string,
  body: object = {},
): Promise<number> {
  const status = await send(testbed, path, body);
  const row = `${name} ${status === 0 ? "nothing" : status}`;
  tally.acts.set(row, (tally.acts.get(row) ?? 0) + 1);
  return status;
}

/** @returns 0 if no answer came */
async function send({ api }: Testbed, path: string, body: object): Promise<number> {
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

async function ask<T>({ api }: Testbed, path: string): Promise<T | undefined> {
  try {
    const { url = "" } = (await api?.ready()) ?? {};
    return (await (await fetch(url + path)).json()) as T;
  } catch {
    return undefined;
  }
}

async function auditedResolutions(testbed: Testbed): Promise<Map<string, number>> {
  const { application, createOperator } = await testbed.installation.library();
  const operator = await createOperator(application, { ...testbed.env, REDIS_URL: testbed.store.url });
  try {
    const recorded = new Map<string, number>();
    for (const { jobId } of await patiently(() => operator.auditTrail(100_000)))
      recorded.set(jobId, (recorded.get(jobId) ?? 0) + 1);
    return recorded;
  } finally {
    await operator.stop();
  }
}

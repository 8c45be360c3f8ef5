import { setTimeout as sleep } from "node:timers/promises";
import type { JobContract, Producer, StandaloneOperator } from "holdfast";
import { inLanes, until } from "../../lib/waiting.ts";
import { repeated } from "../lib/act-jobs.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutFollowing } from "../lib/mutations.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";

/** How many jobs an act may do in a time; undefined: as many as it can. */
const rates = [undefined, "100/s", "30/s"] as const;
type Rate = (typeof rates)[number];

export const acts: Experiment = {
  number: 34,
  title: "An act on jobs that alternate between states",
  fault:
    "all jobs are cancelled while they go from state to state, at several rates; the workers that run the act and the jobs are killed",
  mustHold: "done, with none remaining, means that no job escaped",
  async run(context) {
    const size: Size = context.isQuick
      ? { jobs: 60, rates: [undefined, "100/s"] }
      : { jobs: 200, rates: repeated(rates, 4) };
    const [seen, control] = await Promise.all([
      cancelAtEachRate(context, size),
      followingControl({ ...context, random: context.random.fork("control") }),
    ]);
    const escaped = seen.reduce((total, each) => total + each.escaped, 0);
    return {
      counts: {
        ...noCounts,
        acknowledged: seen.length * size.jobs,
        faults: seen.length + seen.reduce((total, { deaths }) => total + deaths, 0),
      },
      table: {
        head: ["rate", "jobs", "said remaining", "escaped", "workers killed"],
        rows: seen.map(({ rate = "none", remaining, escaped, deaths }) => [
          rate,
          size.jobs,
          remaining,
          escaped,
          deaths,
        ]),
      },
      measured: [`${escaped} jobs escaped an act`],
      broken: seen.flatMap((each) => [
        ...(each.state === "done" ? [] : [`rate ${each.rate ?? "none"}: the act is ${each.state}`]),
        ...escapedFrom(each),
      ]),
      controls: [control],
    };
  },
};

interface Size {
  readonly jobs: number;
  /** Of each act in turn. */
  readonly rates: readonly Rate[];
}

interface Cancelled {
  readonly rate: Rate;
  readonly state: string;
  /** As the act says. */
  readonly remaining: number;
  readonly escaped: number;
  readonly deaths: number;
}

/** Whether a job escapes is left to chance. */
const CONTROL_TRIES = 4;

async function followingControl(context: Context): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    const seen = await cancelAtEachRate(context, { jobs: 100, rates: [undefined] }, withoutFollowing);
    return controlOf(withoutFollowing.name, seen.flatMap(escapedFrom));
  });
}

/** More than the act says. */
function escapedFrom({ rate, escaped, remaining }: Cancelled): string[] {
  return escaped > remaining
    ? [`rate ${rate ?? "none"}: ${escaped} jobs escaped, and the act says that ${remaining} remain`]
    : [];
}

async function cancelAtEachRate(
  context: Context,
  { jobs, rates }: Size,
  mutation?: Mutation,
): Promise<Cancelled[]> {
  const options = { workers: 2, concurrency: 20, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    const { application, createProducer } = await testbed.installation.library();
    const producer = await createProducer(application, testbed.env);
    try {
      return await withOperator(testbed, async (operator) => {
        const seen: Cancelled[] = [];
        for (const rate of rates) {
          context.say(`act ${seen.length + 1} of ${rates.length}`);
          const name = `acts-${seen.length}`;
          const ids = await submitAll(producer, application.jobs.get("alternating"), context, name, jobs);
          seen.push(await cancelAll(testbed, operator, context, rate, ids));
        }
        return seen;
      });
    } finally {
      await producer.stop();
    }
  });
}

async function submitAll(
  producer: Producer,
  contract: JobContract | undefined,
  { random }: Context,
  name: string,
  jobs: number,
): Promise<string[]> {
  if (contract === undefined) throw new Error("The laboratory's application has no such job");
  const ids: string[] = [];
  await inLanes(Array(jobs).keys(), 20, async (index) => {
    const payload = { ms: random.between(0, 30), delayMs: random.between(20, 120) };
    const options = { idempotencyKey: `${name}-${index}`, priority: random.pick([0, 0, 5]) };
    const { id } = await patiently(() => producer.submit(contract, payload, options));
    ids.push(id);
  });
  return ids;
}

/** What was cancelled while it ran ends within moments. */
const ENDS_WITHIN_MS = 10_000;
const ACT_ENDS_WITHIN_MS = 60_000;

async function cancelAll(
  testbed: Testbed,
  operator: StandaloneOperator,
  context: Context,
  rate: Rate,
  ids: readonly string[],
): Promise<Cancelled> {
  const before = testbed.deaths.length;
  const request = { act: "cancel", all: true, filter: {}, reason: "laboratory", rate } as const;
  const { id } = await patiently(() => operator.acts.start(request, "laboratory", `cancel ${ids[0]}`));
  await sleep(context.random.between(0, 500)); // a random moment is the point
  if (!testbed.isControl) context.random.pick(testbed.workers).signal("SIGKILL");
  const read = () => patiently(() => operator.acts.read(id));
  const isOver = async () => ["done", "failed", "stopped"].includes((await read()).state);
  await until(isOver, { withinMs: ACT_ENDS_WITHIN_MS });
  const { state, endedAt, remaining } = await read();
  const escapedNow = () => escapedOf(testbed, ids, Date.parse(endedAt ?? new Date().toISOString()));
  await until(async () => (await escapedNow()) === 0, { withinMs: ENDS_WITHIN_MS, everyMs: 250 });
  const escaped = await escapedNow();
  // What escaped must not disturb the next act.
  for (const each of ids) await operator.cancel(each).catch(() => {});
  return { rate, state, remaining: remaining ?? 0, escaped, deaths: testbed.deaths.length - before };
}

/** Jobs that go on, or ended later and in another way. */
async function escapedOf({ client }: Testbed, ids: readonly string[], endedAt: number): Promise<number> {
  let escaped = 0;
  await inLanes(ids, 20, async (id) => {
    const status = await client.status(id);
    if (status === undefined || status.error?.code === "CANCELLED") return;
    if (status.finishedAt === null || Date.parse(status.finishedAt) > endedAt) escaped += 1;
  });
  return escaped;
}

import { inLanes } from "../../lib/waiting.ts";
import { check, type JobRecord, type Verdict } from "../lib/checker.ts";
import type { Client, Submission } from "../lib/client.ts";
import type { Context, Experiment } from "../lib/experiment.ts";
import { LOCK_MS, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";

/** Its attempts plus the five crashes that the default policy allows. */
const STARTS_ALLOWED = 3 + 5;
/** Generous: a stall, another claim and a new worker each time. */
const END_WITHIN_MS = STARTS_ALLOWED * 10 * LOCK_MS;

export const poisonJob: Experiment = {
  number: 16,
  title: "A job kills its worker each time",
  fault:
    "a handler that ends its own process with SIGKILL; one such poison job after the other, among other jobs",
  mustHold: "failed as STARTS_EXHAUSTED after its bounded starts; other jobs unharmed",
  async run(context) {
    const { verdict, deaths } = await oneAfterTheOther(context, context.isQuick ? 1 : 5);
    const { counts, jobs, findings } = verdict;
    const { poison, others, exhausted, harmed } = sort(jobs);
    const starts = poison.map(begun);
    counts.faults = deaths;
    // A poison job is meant to fail.
    counts.failed -= exhausted.length;
    return {
      counts,
      measured: [
        `${poison.length} poison jobs, each ended after ${Math.min(...starts)} to ${Math.max(...starts)} deaths (allowed: ${STARTS_ALLOWED})`,
        `${others.length} other jobs on the same workers, ${others.length - harmed.length} completed; ` +
          `the unluckiest was started ${Math.max(...others.map(begun))} times`,
        ...(context.isQuick ? [] : [await manyAtOnce(context)]),
      ],
      broken: [
        ...(exhausted.length < poison.length ? ["a poison job did not end as STARTS_EXHAUSTED"] : []),
        ...(starts.some((count) => count > STARTS_ALLOWED) ? ["a poison job was begun too often"] : []),
        ...(harmed.length > 0 ? [`${harmed.length} other jobs were harmed`, ...findings] : []),
      ],
      controls: [],
    };
  },
};

const LANES = 12;
const WORKERS = { workers: 4, concurrency: 4 };

async function oneAfterTheOther(
  context: Context,
  count: number,
): Promise<{ verdict: Verdict; deaths: number }> {
  return await withTestbed(WORKERS, async (testbed) => {
    let isOver = false;
    const load = loadWhile(testbed, context, () => !isOver);
    for (let index = 0; index < count; index += 1) {
      context.say(`poison job ${index + 1} of ${count}, ${testbed.deaths.length} deaths`);
      const accepted = await testbed.client.submit(poison(index));
      await untilEnded(testbed, accepted?.id, END_WITHIN_MS);
    }
    isOver = true;
    await load;
    return { verdict: await check(testbed, END_WITHIN_MS), deaths: testbed.deaths.length };
  });
}

async function loadWhile(testbed: Testbed, { random }: Context, goesOn: () => boolean): Promise<void> {
  const keys = (function* () {
    for (let index = 0; goesOn(); index += 1) yield `other-${index}`;
  })();
  await inLanes(keys, LANES, async (key) => {
    const accepted = await testbed.client.submit(bystander(key, random.between(0, 100)));
    await untilEnded(testbed, accepted?.id);
  });
}

/** Too many for a limit per job to distinguish from their neighbours: measured, not promised. */
async function manyAtOnce({ random, say }: Context): Promise<string> {
  const [poisonCount, othersCount] = [12, 300];
  say(`${poisonCount} poison jobs at once`);
  return await withTestbed(WORKERS, async (testbed) => {
    await submitAll(testbed.client, [
      ...Array.from({ length: poisonCount }, (_, index) => poison(index)),
      ...Array.from({ length: othersCount }, (_, index) =>
        bystander(`other-${index}`, random.between(0, 50)),
      ),
    ]);
    const { jobs } = await check(testbed, 2 * END_WITHIN_MS);
    const { harmed } = sort(jobs);
    return (
      `not promised: ${poisonCount} poison jobs at once on 4 workers with 4 places each, among ${othersCount} others: ` +
      `${harmed.length} of the others died with them so often that they also ended as STARTS_EXHAUSTED`
    );
  });
}

async function submitAll(client: Client, submissions: readonly Submission[]): Promise<void> {
  await inLanes(submissions, LANES, async (submission) => void (await client.submit(submission)));
}

function poison(index: number): Submission {
  return { type: "poison", idempotencyKey: `poison-${index}`, payload: {} };
}

function bystander(key: string, ms: number): Submission {
  return { type: "bystander", idempotencyKey: key, payload: { ms } };
}

function sort(jobs: readonly JobRecord[]) {
  const others = jobs.filter(({ key }) => key.startsWith("other"));
  const poison = jobs.filter(({ key }) => key.startsWith("poison"));
  const exhausted = poison.filter(
    ({ status }) => status?.state === "failed" && status.error?.code === "STARTS_EXHAUSTED",
  );
  return {
    poison,
    others,
    exhausted,
    harmed: others.filter(({ status }) => status?.state !== "completed"),
  };
}

function begun({ steps }: JobRecord): number {
  return steps.filter(({ event }) => event === "begun").length;
}

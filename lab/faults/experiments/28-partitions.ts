import { setTimeout as sleep } from "node:timers/promises";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import {
  type Answers,
  type Judged,
  judge,
  type KeyControl,
  keyControlOf,
  keyControls,
  send,
  sendAgain,
  submitterOf,
} from "../lib/answers.ts";
import type { Submission } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { partition } from "../lib/partition-queue.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const partitions: Experiment = {
  number: 28,
  title: "A hot queue is divided into partitions",
  fault:
    "a queue goes from 1 to 8 partitions, to 3 and to 8 under load, by the command, which is also killed in its middle; SIGKILL of " +
    "workers and of an API at random; keys go in by a producer, or to two API processes at once, and all again at the end",
  mustHold: "one job and one effect for each key; nothing is left in any partition",
  async run(context) {
    const seen = await divide(context, context.isQuick ? quick : full);
    context.say("controls");
    const controls = await Promise.all(keyControls.map((one) => untilCaught(3, () => control(context, one))));
    return {
      counts: seen.verdict.counts,
      table: {
        head: [
          "keys",
          "jobs/s",
          "jobs",
          "keys with two ids",
          "effects twice",
          "left in a partition",
          "deaths",
        ],
        rows: [
          [
            seen.keys,
            seen.rate,
            seen.jobs,
            seen.twice,
            seen.verdict.counts.repeated,
            seen.stranded,
            seen.deaths,
          ],
        ],
      },
      measured: [`the keys' jobs were in ${seen.used} partitions`],
      broken: [...seen.broken, ...brokenBy(seen.verdict)],
      controls,
    };
  },
};

interface Size {
  readonly workers: number;
  /** Keys that are submitted at a time. */
  readonly lanes: number;
  /** Milliseconds between two faults. */
  readonly stepMs: number;
  /** Partitions, one change after the other. */
  readonly changes: readonly number[];
}

const quick: Size = { workers: 2, lanes: 8, stepMs: 700, changes: [8, 3] };
const full: Size = { workers: 3, lanes: 96, stepMs: 4_000, changes: [8, 3, 8] };

/** The share of keys that both API processes get at once; the others go in by a producer. */
const BY_API = 0.2;
const NAMES = Array.from({ length: 8 }, (_, index) => (index === 0 ? "default" : `default.${index}`));

interface Seen extends Judged {
  /** Keys a second. */
  readonly rate: number;
  /** Partitions that have jobs. */
  readonly used: number;
}

async function divide(context: Context, size: Size): Promise<Seen> {
  return await withTestbed({ workers: size.workers, flowControl: false }, async (testbed) => {
    const apis = ["api-1", "api-2"].map((name) => testbed.startRole("api", name));
    await Promise.all(apis.map((api) => api.ready()));
    const answers: Answers = new Map();
    const jobs: Submission[] = [];
    const chaos = { isOver: false };
    const startedAt = performance.now();
    const load = inLanes(endlessKeys(chaos), size.lanes, async (key) => {
      const job = actJob(key, context.random);
      jobs.push(job);
      const [one, other] = apis.map(submitterOf);
      if (one === undefined || other === undefined) return;
      const byApi = context.random.next() < BY_API;
      const submitted = byApi
        ? [send(testbed, answers, one)(job), sendAgain(answers, other)(job)]
        : [note(answers, job, testbed.client.submit(job))];
      await Promise.all(submitted);
    });
    for (const count of size.changes) {
      await sleep(size.stepMs);
      context.random.pick(testbed.workers).signal("SIGKILL");
      await partition(testbed, count, context.random.between(300, 900));
      context.random.pick(apis).signal("SIGKILL");
      await partition(testbed, count);
      const enough = jobs.length + (count === NAMES.length ? ENOUGH : 0);
      await until(() => jobs.length >= enough, { withinMs: ENOUGH_WITHIN_MS });
      context.say(`${count} partitions, ${jobs.length} keys`);
    }
    await sleep(size.stepMs);
    context.random.pick(testbed.workers).signal("SIGKILL");
    chaos.isOver = true;
    await load;
    const rate = Math.round((jobs.length * 1_000) / (performance.now() - startedAt));
    context.say("all keys again");
    for (const api of apis) await inLanes(jobs, size.lanes, sendAgain(answers, submitterOf(api)));
    const judged = await judge(testbed, answers, NAMES, "partition");
    const used = new Set([...answers.values()].flatMap((ids) => [...ids].map((id) => id.split("_")[0]))).size;
    const unused = used < NAMES.length ? [`only ${used} partitions had jobs`] : [];
    return { ...judged, rate, used, broken: [...judged.broken, ...unused] };
  });
}

async function note(answers: Answers, job: Submission, submitted: ReturnType<Testbed["client"]["submit"]>) {
  const acknowledged = await submitted;
  if (acknowledged !== undefined) answers.set(job.idempotencyKey, new Set([acknowledged.id]));
}

function* endlessKeys(chaos: { readonly isOver: boolean }): Generator<string> {
  for (let index = 0; !chaos.isOver; index += 1) yield `key-${index}`;
}

/** So many keys that each of eight partitions gets one, but in one run of 70,000. */
const ENOUGH = 100;
const ENOUGH_WITHIN_MS = 60_000;

/** Keys from before and after the change, whose API dies at one of them. No job needs to run. */
async function control({ random }: Context, one: KeyControl): Promise<Control> {
  const { mutation } = one;
  return await withTestbed({ workers: 0, flowControl: false, mutation }, async (testbed) => {
    const early = Array.from({ length: 8 }, (_, index) => actJob(`early-${index}`, random));
    const late = Array.from({ length: 8 }, (_, index) => actJob(`late-${index}`, random));
    for (const job of early) await testbed.client.submit(job);
    await partition(testbed, 8);
    const api = testbed.startRole("api", "api", { LAB_DIE_AT_CLAIM: "3" });
    await api.ready();
    for (const job of [...early, ...late]) await testbed.client.submit(job, submitterOf(api));
    return await keyControlOf(testbed, one, NAMES, early.length + late.length);
  });
}

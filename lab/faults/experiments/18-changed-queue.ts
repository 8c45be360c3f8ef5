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
import type { Submission, Submitter } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const changedQueue: Experiment = {
  number: 18,
  title: "A contract's queue is changed",
  fault:
    "a job type moves to another queue: old and new version side by side under load, then the new one alone; SIGKILL of the new API " +
    "between claim and job, of workers, and of the old version; every key is submitted to both, and again at the end",
  mustHold: "one job and one effect for each key; nothing is left in either queue",
  async run(context) {
    const seen = await change(context, context.isQuick ? quick : full);
    context.say("controls");
    const controls = await Promise.all(keyControls.map((one) => untilCaught(3, () => control(context, one))));
    return {
      counts: seen.verdict.counts,
      table: {
        head: ["keys", "jobs", "keys with two ids", "effects twice", "left in a queue", "deaths"],
        rows: [[seen.keys, seen.jobs, seen.twice, seen.verdict.counts.repeated, seen.stranded, seen.deaths]],
      },
      measured: [
        `${seen.old} of ${seen.keys} keys had their job in the old queue, the others in the new one; ` +
          `the new API died ${seen.apiDeaths} times between a claim and its job`,
      ],
      broken: [...seen.broken, ...brokenBy(seen.verdict)],
      controls,
    };
  },
};

interface Size {
  /** Keys that only the old version gets. */
  readonly before: number;
  /** Milliseconds for which both versions run. */
  readonly bothMs: number;
  readonly workers: number;
}

const quick: Size = { before: 40, bothMs: 4_000, workers: 1 };
const full: Size = { before: 400, bothMs: 60_000, workers: 2 };

const NEW = { LAB_QUEUE: "moved", LAB_FORMER_QUEUES: "default" };
const NAMES = ["default", "moved"];
const LANES = 12;

interface Seen extends Judged {
  /** Keys whose job is in the old queue. */
  readonly old: number;
  readonly apiDeaths: number;
}

async function change(context: Context, size: Size): Promise<Seen> {
  return await withTestbed({ workers: 0 }, async (testbed) => {
    const answers: Answers = new Map();
    const jobs: Submission[] = [];
    const old = {
      api: testbed.startRole("api", "old-api"),
      worker: testbed.startRole("worker", "old-worker"),
    };
    const oldSubmitter = submitterOf(old.api);
    const sendOld = () => send(testbed, answers, oldSubmitter);
    const early = Array.from({ length: size.before }, (_, index) => actJob(`early-${index}`, context.random));
    jobs.push(...early);
    await inLanes(early, LANES, sendOld());

    const dieAt = String(context.random.between(10, 25));
    const api = testbed.startRole("api", "new-api", { ...NEW, LAB_DIE_AT_CLAIM: dieAt });
    const workers = Array.from({ length: size.workers }, (_, index) =>
      testbed.startRole("worker", `new-worker${index + 1}`, NEW),
    );
    await Promise.all([api, ...workers].map((role) => role.ready()));
    const apiDeaths = () => testbed.deaths.filter(({ life }) => life.startsWith("new-api")).length;
    await sideBySide({
      testbed,
      answers,
      jobs,
      context,
      size,
      oldSubmitter,
      newSubmitter: submitterOf(api),
      old,
      workers,
      hasDied: () => apiDeaths() > 0,
    });

    // The old version is gone; every key is submitted again.
    context.say("all keys again");
    await inLanes(jobs, LANES, sendAgain(answers, submitterOf(api)));
    const judged = await judge(testbed, answers, NAMES, "queue");
    const inOld = [...answers.values()].filter((ids) => [...ids].some((id) => id.startsWith("default_")));
    const neverDied = apiDeaths() === 0 ? ["the new API never died between a claim and its job"] : [];
    return { ...judged, old: inOld.length, apiDeaths: apiDeaths(), broken: [...judged.broken, ...neverDied] };
  });
}

interface Both {
  readonly testbed: Testbed;
  readonly answers: Answers;
  readonly jobs: Submission[];
  readonly context: Context;
  readonly size: Size;
  readonly oldSubmitter: Submitter;
  readonly newSubmitter: Submitter;
  readonly old: { readonly api: Role; readonly worker: Role };
  readonly workers: readonly Role[];
  /** Whether the new API has died between a claim and its job. */
  readonly hasDied: () => boolean;
}

/** However few keys a slow machine accepts. */
const DIES_WITHIN_MS = 60_000;

/** Each key goes to both versions at once, until the old one dies: first its worker, then its API. */
async function sideBySide({ testbed, answers, jobs, context, size, ...both }: Both): Promise<void> {
  const { random, say } = context;
  const submitters = { old: both.oldSubmitter, new: both.newSubmitter };
  const chaos = { isOver: false };
  const keys = (function* () {
    for (let index = 0; !chaos.isOver; index += 1) yield `both-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const job = actJob(key, random);
    jobs.push(job);
    const order =
      random.next() < 0.5
        ? ([submitters.old, submitters.new] as const)
        : ([submitters.new, submitters.old] as const);
    await Promise.all([
      send(testbed, answers, (submission) => order[0](submission))(job),
      sendAgain(answers, (submission) => order[1](submission))(job),
    ]);
    // Keep the load from outrunning the workers.
    await sleep(random.between(20, 120));
  });
  const rounds = 4;
  for (let round = 1; round <= rounds; round += 1) {
    await sleep(size.bothMs / rounds);
    if (round === 2) await both.old.worker.stop();
    else random.pick(both.workers).signal("SIGKILL");
    say(`${round} of ${rounds} kills, ${jobs.length} keys`);
  }
  submitters.old = submitters.new;
  await both.old.api.stop();
  await until(both.hasDied, { withinMs: DIES_WITHIN_MS });
  chaos.isOver = true;
  await load;
}

/** Keys of the old version and some of the new one, whose API dies at one of them. No job needs to run. */
async function control({ random }: Context, one: KeyControl): Promise<Control> {
  const { mutation } = one;
  return await withTestbed({ workers: 0, mutation }, async (testbed) => {
    const [api, newApi] = [
      testbed.startRole("api", "old-api"),
      testbed.startRole("api", "new-api", { ...NEW, LAB_DIE_AT_CLAIM: "3" }),
    ];
    await Promise.all([api.ready(), newApi.ready()]);
    const early = ["early-1", "early-2"].map((key) => actJob(key, random));
    const late = ["late-1", "late-2", "late-3"].map((key) => actJob(key, random));
    for (const job of early) await testbed.client.submit(job, submitterOf(api));
    for (const job of [...early, ...late]) await testbed.client.submit(job, submitterOf(newApi));
    return await keyControlOf(testbed, one, NAMES, early.length + late.length);
  });
}

import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, withBench } from "../lib/bench.ts";
import { check, type Verdict } from "../lib/checker.ts";
import { apiDoor, type Door, type Submission } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutFinish, withoutFormerClaim } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { inLanes } from "../lib/waiting.ts";

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
    const controls = await Promise.all([
      control(
        context,
        withoutFormerClaim,
        ({ jobs, keys }) => jobs > keys && `${jobs} jobs for ${keys} keys`,
      ),
      control(context, withoutFinish, ({ lost }) => lost > 0 && `${lost} acknowledged jobs lost`),
    ]);
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
  /** Keys that the old version alone is sent. */
  readonly before: number;
  /** Milliseconds for which both versions run. */
  readonly bothMs: number;
  readonly workers: number;
}

const quick: Size = { before: 40, bothMs: 4_000, workers: 1 };
const full: Size = { before: 400, bothMs: 60_000, workers: 2 };

const NEW = { LAB_QUEUE: "moved", LAB_FORMER_QUEUES: "default" };
const LANES = 12;

interface Seen {
  readonly verdict: Verdict;
  readonly jobs: number;
  readonly keys: number;
  /** Keys whose job is in the old queue. */
  readonly old: number;
  /** Keys that were answered with more than one id. */
  readonly twice: number;
  readonly stranded: number;
  readonly deaths: number;
  readonly apiDeaths: number;
  readonly broken: readonly string[];
}

/** The ids that each key was answered with, whoever asked. */
type Answers = Map<string, Set<string>>;

async function change(context: Context, size: Size): Promise<Seen> {
  return await withBench({ workers: 0 }, async (bench) => {
    const answers: Answers = new Map();
    const jobs: Submission[] = [];
    const old = { api: bench.startRole("api", "old-api"), worker: bench.startRole("worker", "old-worker") };
    const oldDoor = doorOf(old.api);
    const sendOld = () => send(bench, answers, oldDoor);
    const early = Array.from({ length: size.before }, (_, index) => actJob(`early-${index}`, context.random));
    jobs.push(...early);
    await inLanes(early, LANES, sendOld());

    const dieAt = String(context.random.between(10, 25));
    const api = bench.startRole("api", "new-api", { ...NEW, LAB_DIE_AT_CLAIM: dieAt });
    const workers = Array.from({ length: size.workers }, (_, index) =>
      bench.startRole("worker", `new-worker${index + 1}`, NEW),
    );
    await Promise.all([api, ...workers].map((role) => role.ready()));
    await sideBySide({ bench, answers, jobs, context, size, oldDoor, newDoor: doorOf(api), old, workers });

    // The old version is gone; all that was ever asked for is asked for again.
    context.say("all keys again");
    await inLanes(jobs, LANES, sendAgain(answers, doorOf(api)));
    const apiDeaths = bench.deaths.filter(({ life }) => life.startsWith("new-api")).length;
    return await judge(bench, answers, apiDeaths);
  });
}

interface Both {
  readonly bench: Bench;
  readonly answers: Answers;
  readonly jobs: Submission[];
  readonly context: Context;
  readonly size: Size;
  readonly oldDoor: Door;
  readonly newDoor: Door;
  readonly old: { readonly api: Role; readonly worker: Role };
  readonly workers: readonly Role[];
}

/** Each key goes to both versions at once, until the old one dies: first its worker, then its API. */
async function sideBySide({ bench, answers, jobs, context, size, ...both }: Both): Promise<void> {
  const { random, say } = context;
  const doors = { old: both.oldDoor, new: both.newDoor };
  const chaos = { isOver: false };
  const keys = (function* () {
    for (let index = 0; !chaos.isOver; index += 1) yield `both-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const job = actJob(key, random);
    jobs.push(job);
    const order = random.next() < 0.5 ? ([doors.old, doors.new] as const) : ([doors.new, doors.old] as const);
    await Promise.all([
      send(bench, answers, (submission) => order[0](submission))(job),
      sendAgain(answers, (submission) => order[1](submission))(job),
    ]);
    // So that the load does not outrun the workers.
    await sleep(random.between(20, 120));
  });
  const rounds = 4;
  for (let round = 1; round <= rounds; round += 1) {
    await sleep(size.bothMs / rounds);
    if (round === 2) await both.old.worker.stop();
    else random.pick(both.workers).signal("SIGKILL");
    say(`${round} of ${rounds} kills, ${jobs.length} keys`);
  }
  doors.old = doors.new;
  await both.old.api.stop();
  chaos.isOver = true;
  await load;
}

function doorOf(api: Role): Door {
  return apiDoor(async () => (await api.ready()).url ?? "");
}

/** By the client, which keeps what was acknowledged. */
function send({ client }: Bench, answers: Answers, door: Door) {
  return async (job: Submission) => note(answers, job, (await client.submit(job, door))?.id);
}

const RETRY_MS = 100;
const TRIES_MAX = 300;

/** A second time; whether it was acknowledged is known already, or will be. */
function sendAgain(answers: Answers, door: Door) {
  return async (job: Submission) => {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const receipt = await door(job).catch(() => undefined);
      if (receipt !== undefined) return note(answers, job, receipt.id);
      await sleep(RETRY_MS);
    }
  };
}

function note(answers: Answers, { idempotencyKey }: Submission, id: string | undefined): void {
  if (id === undefined) return;
  answers.set(idempotencyKey, (answers.get(idempotencyKey) ?? new Set()).add(id));
}

async function judge(bench: Bench, answers: Answers, apiDeaths: number): Promise<Seen> {
  const verdict = await check(bench, 60_000);
  const { jobs, stranded } = await countJobs(bench);
  const ids = [...answers.values()];
  const twice = ids.filter(({ size }) => size > 1).length;
  verdict.counts.faults = bench.deaths.length;
  return {
    verdict,
    jobs,
    keys: answers.size,
    old: ids.filter((some) => [...some].some((id) => id.startsWith("default_"))).length,
    twice,
    stranded,
    deaths: bench.deaths.length,
    apiDeaths,
    broken: [
      ...(twice > 0 ? [`${twice} keys were answered with two ids`] : []),
      ...(jobs > answers.size ? [`${jobs} jobs for ${answers.size} keys`] : []),
      ...(stranded > 0 ? [`${stranded} jobs are left in a queue`] : []),
      ...(apiDeaths === 0 ? ["the new API never died between a claim and its job"] : []),
    ],
  };
}

async function countJobs(bench: Bench): Promise<{ jobs: number; stranded: number }> {
  const queues = await Promise.all(["default", "moved"].map((name) => statesOf(bench, name)));
  return {
    jobs: queues.reduce((sum, { ended, open }) => sum + ended + open, 0),
    stranded: queues.reduce((sum, { open }) => sum + open, 0),
  };
}

/** Read as a user of BullMQ would. */
async function statesOf({ store }: Bench, name: string): Promise<{ ended: number; open: number }> {
  const queue = new Queue(`{${name}}`, { prefix: "holdfast", connection: { url: store.url } });
  queue.on("error", () => {});
  try {
    const { completed = 0, failed = 0, ...open } = await queue.getJobCounts();
    return { ended: completed + failed, open: Object.values(open).reduce((sum, many) => sum + many, 0) };
  } finally {
    await queue.close();
  }
}

interface Noticed {
  readonly jobs: number;
  readonly keys: number;
  readonly lost: number;
}

/** Keys of the old version, and some of the new one, whose API dies at one of them. Nothing needs to be run for that. */
async function control(
  { random }: Context,
  cut: Mutation,
  notice: (noticed: Noticed) => string | false,
): Promise<Control> {
  return await withBench({ workers: 0, cut }, async (bench) => {
    const [api, newApi] = [
      bench.startRole("api", "old-api"),
      bench.startRole("api", "new-api", { ...NEW, LAB_DIE_AT_CLAIM: "3" }),
    ];
    await Promise.all([api.ready(), newApi.ready()]);
    const early = ["early-1", "early-2"].map((key) => actJob(key, random));
    const late = ["late-1", "late-2", "late-3"].map((key) => actJob(key, random));
    for (const job of early) await bench.client.submit(job, doorOf(api));
    for (const job of [...early, ...late]) await bench.client.submit(job, doorOf(newApi));
    const { acknowledged } = bench.client;
    const found = await Promise.all(acknowledged.map(({ id }) => bench.client.status(id)));
    const seen = notice({
      ...(await countJobs(bench)),
      keys: early.length + late.length,
      lost: found.filter((status) => status === undefined).length,
    });
    return { protection: cut.name, isCaught: seen !== false, seen: seen || "nothing" };
  });
}

import { setTimeout as sleep } from "node:timers/promises";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, noCounts, type Verdict } from "../lib/checker.ts";
import { apiSubmitter } from "../lib/client.ts";
import {
  brokenBy,
  type Context,
  type Control,
  type Experiment,
  sum,
  untilCaught,
} from "../lib/experiment.ts";
import { mountSmallDisk, type SmallDisk } from "../lib/small-disk.ts";
import { keepStoreRunning } from "../lib/store-keeper.ts";
import { type Testbed, type TestbedOptions, withTestbed } from "../lib/testbed.ts";

export const fullDisk: Experiment = {
  number: 10,
  title: "Redis's disk is full",
  fault: "Redis's own file system is filled to the last block under load, and has room again later",
  mustHold:
    "no false acknowledgement; once there is room again everything resumes by itself; nothing repeated",
  async run(context) {
    const disk = mountSmallDisk(DISK_MEBIBYTES);
    if (disk === undefined) return notPossible;
    const times = context.isQuick ? 1 : 10;
    try {
      const always = await fillRepeatedly(context, disk, "always", times, {});
      const everysec = await fillRepeatedly(context, disk, "everysec", Math.ceil(times / 2), everySecond);
      return {
        counts: sum([always.verdict.counts, everysec.verdict.counts]),
        table: {
          head: [
            "appendfsync",
            "disk full",
            "acknowledged",
            "lost",
            "answers while full",
            "Redis exited",
            "resumed after, max (ms)",
          ],
          rows: [always, everysec].map(row),
        },
        measured: [
          "Redis with `appendfsync always` ends itself when it cannot write, and is restarted as by a supervisor; " +
            "with `everysec` it refuses writes until it can",
          "at the end Redis is killed and restarted, so that only what is on disk counts",
        ],
        broken: [always, everysec].flatMap(brokenIn),
        controls: [await untilCaught(CONTROL_TRIES, (time) => fsyncControl(context, disk, time))],
      };
    } finally {
      disk.remove();
    }
  },
};

const DISK_MEBIBYTES = 64;
/** Room for some hundred commands. */
const LEFT_BYTES = 65_536;
const RESUMED_WITHIN_MS = 90_000;

const notPossible = {
  counts: noCounts,
  measured: [
    "**not possible here**: no file system could be mounted (that needs root, and Linux); this shows nothing",
  ],
  broken: [],
  controls: [],
};

/** Refused at durability `disk`; measured here to see how such a Redis reports a full disk. */
const everySecond: Partial<TestbedOptions> = {
  store: ["--appendfsync", "everysec"],
  env: { HOLDFAST_DURABILITY: "memory" },
};

interface Filled {
  readonly name: string;
  readonly verdict: Verdict;
  readonly times: number;
  /** The API's answers while the disk was full. */
  readonly answers: ReadonlySet<string>;
  readonly storeEnds: number;
  /** Milliseconds each, since there was room again. */
  readonly resumed: readonly (number | undefined)[];
}

async function fillRepeatedly(
  context: Context,
  disk: SmallDisk,
  name: string,
  times: number,
  options: Partial<TestbedOptions>,
): Promise<Filled> {
  const size = { workers: 2, concurrency: 4, api: true, storeDirectory: `${disk.directory}/${name}` };
  return await withTestbed({ ...size, ...options }, async (testbed) => {
    const keeper = keepStoreRunning(testbed.store);
    const answers = new Set<string>();
    const resumed: (number | undefined)[] = [];
    const load = startLoad(testbed, context, name, answers);
    try {
      for (let time = 0; time < times; time += 1) {
        context.say(
          `${name}: ${time + 1} of ${times}, ${testbed.client.acknowledged.length} jobs acknowledged`,
        );
        resumed.push(await fillOnce(testbed, disk, load, answers));
      }
    } finally {
      await load.end();
      await keeper.stop();
    }
    await testbed.outages.kill();
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = times;
    return { name, verdict, times, answers, storeEnds: keeper.restarts, resumed };
  });
}

/** API clients. Their answers are noted while `isNoted`. */
function startLoad(testbed: Testbed, { random }: Context, name: string, answers: Set<string>) {
  let isOver = false;
  const load = { isNoted: false, end: async () => {} };
  const submitter = apiSubmitter(async () => (await testbed.api?.ready())?.url ?? "");
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const lanes = inLanes(keys, LANES, async (key) => {
    await testbed.client.submit(actJob(key, random), async (submission) => {
      try {
        return await submitter(submission);
      } catch (error) {
        if (load.isNoted && error instanceof Error) answers.add(error.message.replace("answered ", ""));
        throw error;
      }
    });
    await sleep(PAUSE_MS);
  });
  load.end = () => {
    isOver = true;
    return lanes;
  };
  return load;
}

const LANES = 12;
const PAUSE_MS = 10;
/** How long the disk stays full. */
const FULL_MS = 1_000;

/** @returns milliseconds from room on the disk to jobs accepted and run; undefined if it took too long */
async function fillOnce(
  testbed: Testbed,
  disk: SmallDisk,
  load: { isNoted: boolean },
  answers: ReadonlySet<string>,
): Promise<number | undefined> {
  const { client } = testbed;
  await testbed.outages.during(async () => {
    disk.fill(LEFT_BYTES);
    const before = client.unanswered;
    await until(() => client.unanswered > before + LANES, { withinMs: 60_000 });
    load.isNoted = true;
    await sleep(FULL_MS);
    await until(() => answers.size > 0, { withinMs: 60_000 });
    load.isNoted = false;
    disk.clear();
  });
  const clearedAt = Date.now();
  const hasResumed = () => {
    const accepted = client.acknowledged.some(({ at }) => at > clearedAt);
    const lives = testbed.trace.read().filter(({ event, at }) => event === "begun" && at > clearedAt);
    return accepted && testbed.workers.every(({ life }) => lives.some((step) => step.life === life));
  };
  const isBack = await until(hasResumed, { withinMs: RESUMED_WITHIN_MS });
  return isBack ? Date.now() - clearedAt : undefined;
}

function row({ name, verdict, times, answers, storeEnds, resumed }: Filled): (string | number)[] {
  const { acknowledged, lost } = verdict.counts;
  const longest = resumed.includes(undefined) ? "–" : Math.max(...resumed.map(Number));
  return [name, times, acknowledged, lost, [...answers].sort().join(", "), storeEnds, longest];
}

function brokenIn({ name, verdict, answers, resumed }: Filled): string[] {
  const wrong = [...answers].filter((answer) => !answer.startsWith("503"));
  return [
    ...brokenBy(verdict),
    ...wrong.map((answer) => `${name}: a submission was answered: ${answer}`),
    ...(answers.size === 0 ? [`${name}: the disk was not full`] : []),
    ...(resumed.includes(undefined)
      ? [`${name}: not everything had resumed after ${RESUMED_WITHIN_MS / 1_000} s`]
      : []),
  ];
}

const CONTROL_TRIES = 5;

/** A Redis that acknowledges before it has written loses what it acknowledged. */
async function fsyncControl(context: Context, disk: SmallDisk, time: number): Promise<Control> {
  context.say("control: without fsync before the acknowledgement");
  const size = { workers: 0, storeDirectory: `${disk.directory}/control-${time}` };
  return await withTestbed({ ...size, ...everySecond }, async (testbed) => {
    disk.fill(LEFT_BYTES);
    const { client } = testbed;
    let isFull = false;
    const keys = (function* () {
      for (let index = 0; !isFull; index += 1) yield `control-${index}`;
    })();
    const load = inLanes(keys, LANES, async (key) => void (await client.submit(actJob(key, context.random))));
    await until(() => client.unanswered > 0, { withinMs: 60_000 });
    isFull = true;
    await testbed.store.kill();
    disk.clear();
    await testbed.store.restart();
    const known = [...client.acknowledged];
    await load;
    const found = await Promise.all(known.map(({ id }) => client.status(id)));
    const lost = found.filter((status) => status === undefined).length;
    return {
      protection: "`appendfsync always`",
      isCaught: lost > 0,
      seen: `${lost} of ${known.length} acknowledged jobs lost`,
    };
  });
}

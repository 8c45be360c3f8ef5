import { setTimeout as sleep } from "node:timers/promises";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, type BenchOptions, withBench } from "../lib/bench.ts";
import { check, noCounts, type Verdict } from "../lib/checker.ts";
import { apiDoor } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, sum } from "../lib/experiment.ts";
import { mountSmallDisk, type SmallDisk } from "../lib/small-disk.ts";
import { keepStoreRunning } from "../lib/store-keeper.ts";
import { inLanes, until } from "../lib/waiting.ts";

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
      const always = await fillAgainAndAgain(context, disk, "always", times, {});
      const everysec = await fillAgainAndAgain(context, disk, "everysec", Math.ceil(times / 2), everySecond);
      return {
        counts: sum([always.verdict.counts, everysec.verdict.counts]),
        table: {
          head: [
            "appendfsync",
            "disk full",
            "acknowledged",
            "lost",
            "answers while full",
            "store ended",
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
        controls: [await fsyncControl(context, disk)],
      };
    } finally {
      disk.remove();
    }
  },
};

const DISK_MEBIBYTES = 64;
/** Room for some hundred commands more. */
const LEFT_BYTES = 65_536;
const RESUMED_WITHIN_MS = 30_000;

const notPossible = {
  counts: noCounts,
  measured: [
    "**not possible here**: no file system could be mounted (that needs root, and Linux); nothing was shown",
  ],
  broken: [],
  controls: [],
};

/** Refused at durability `disk`; here it is to show how such a store says that it cannot write. */
const everySecond: Partial<BenchOptions> = {
  store: ["--appendfsync", "everysec"],
  env: { HOLDFAST_DURABILITY: "memory" },
};

interface Filled {
  readonly name: string;
  readonly verdict: Verdict;
  readonly times: number;
  /** What the API said while the disk was full. */
  readonly answers: ReadonlySet<string>;
  readonly storeEnds: number;
  /** Milliseconds each, from when there was room again. */
  readonly resumed: readonly (number | undefined)[];
}

async function fillAgainAndAgain(
  context: Context,
  disk: SmallDisk,
  name: string,
  times: number,
  options: Partial<BenchOptions>,
): Promise<Filled> {
  const size = { workers: 2, concurrency: 4, api: true, storeDirectory: `${disk.directory}/${name}` };
  return await withBench({ ...size, ...options }, async (bench) => {
    const keeper = keepStoreRunning(bench.store);
    const answers = new Set<string>();
    const resumed: (number | undefined)[] = [];
    const load = startLoad(bench, context, name, answers);
    try {
      for (let time = 0; time < times; time += 1) {
        context.say(
          `${name}: ${time + 1} of ${times}, ${bench.client.acknowledged.length} jobs acknowledged`,
        );
        resumed.push(await fillOnce(bench, disk, load));
      }
    } finally {
      await load.end();
      await keeper.stop();
    }
    await bench.injectIntoRedis();
    const verdict = await check(bench, 60_000);
    verdict.counts.faults = times;
    return { name, verdict, times, answers, storeEnds: keeper.restarts, resumed };
  });
}

/** Clients of the API. What they are told counts while `isNoted`. */
function startLoad(bench: Bench, { random }: Context, name: string, answers: Set<string>) {
  let isOver = false;
  const load = { isNoted: false, end: async () => {} };
  const door = apiDoor(async () => (await bench.api?.ready())?.url ?? "");
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const lanes = inLanes(keys, LANES, async (key) => {
    await bench.client.submit(actJob(key, random), async (submission) => {
      try {
        return await door(submission);
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
/** How long the disk stays full once it is noticed. */
const FULL_MS = 1_000;

/** @returns how long it took from when there was room again until jobs were taken and run; undefined when too long */
async function fillOnce(
  bench: Bench,
  disk: SmallDisk,
  load: { isNoted: boolean },
): Promise<number | undefined> {
  const { client } = bench;
  await bench.troubled(async () => {
    disk.fill(LEFT_BYTES);
    const before = client.unanswered;
    await until(() => client.unanswered > before + LANES, { withinMs: 20_000 });
    load.isNoted = true;
    await sleep(FULL_MS);
    load.isNoted = false;
    disk.clear();
  });
  const clearedAt = Date.now();
  const hasResumed = () => {
    const accepted = client.acknowledged.some(({ at }) => at > clearedAt);
    const lives = bench.trace.read().filter(({ event, at }) => event === "begun" && at > clearedAt);
    return accepted && bench.workers.every(({ life }) => lives.some((step) => step.life === life));
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
      ? [`${name}: not all had resumed after ${RESUMED_WITHIN_MS / 1_000} s`]
      : []),
  ];
}

/** A store that acknowledges before it has written: killed while its disk is full, it has lost what it said it had. */
async function fsyncControl(context: Context, disk: SmallDisk): Promise<Control> {
  context.say("control: without fsync before the acknowledgement");
  const size = { workers: 0, storeDirectory: `${disk.directory}/control` };
  return await withBench({ ...size, ...everySecond }, async (bench) => {
    disk.fill(LEFT_BYTES);
    const { client } = bench;
    let isFull = false;
    const keys = (function* () {
      for (let index = 0; !isFull; index += 1) yield `control-${index}`;
    })();
    const load = inLanes(keys, LANES, async (key) => void (await client.submit(actJob(key, context.random))));
    await until(() => client.unanswered > 0, { withinMs: 20_000 });
    isFull = true;
    await bench.store.kill();
    disk.clear();
    await bench.store.restart();
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

import { setTimeout as sleep } from "node:timers/promises";
import { powerCutEnvironment } from "../../lib/power-cut.ts";
import { inLanes } from "../../lib/waiting.ts";
import { actJob, actJobs, repeated } from "../lib/act-jobs.ts";
import { check, injectionsIn, type Verdict } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, type Experiment, sum } from "../lib/experiment.ts";
import { type Testbed, type TestbedOptions, untilEnded, withTestbed } from "../lib/testbed.ts";

export const killStore: Experiment = {
  number: 5,
  title: "Redis is killed under load",
  fault:
    "SIGKILL of Redis, and power cuts, again and again under load; SIGKILL of Redis while a worker is between reservation and commit",
  mustHold: "acknowledged ⊆ recovered; effects ≤ 1",
  async run(context) {
    const { isQuick } = context;
    const forked = (name: string) => ({ ...context, random: context.random.fork(name) });
    const [{ always, everysec }, powerCuts, { between, controls }] = await Promise.all([
      killLoops(forked("kills"), isQuick ? 3 : 50, isQuick ? 2 : 15),
      cutThePower(forked("power cuts"), isQuick ? 3 : 25),
      killBetween(forked("between"), isQuick ? 1 : 8).then(async (between) => ({
        between,
        controls: await storeControls(forked("controls")),
      })),
    ]);
    const loops = [always, ...(powerCuts === undefined ? [] : [powerCuts.always])];
    return {
      counts: sum([...loops.map(({ verdict }) => verdict.counts), between.counts]),
      table: {
        head: ["appendfsync", "kills", "acknowledged", "lost", "back after p50 (ms)", "max (ms)"],
        rows: [
          row("always", always),
          row("everysec", everysec),
          ...(powerCuts === undefined
            ? []
            : [row("always, power cut", powerCuts.always), row("everysec, power cut", powerCuts.everysec)]),
        ],
      },
      measured: [
        "the time to recover is from the kill to the first acknowledgement after it; Redis is restarted at once",
        powerCuts === undefined
          ? "power cuts were left out: they need Linux and a C compiler"
          : "a power cut loses everything that Redis had written and not fsynced; see `lab/lib/power-cut.c`",
        "what `everysec` loses is measured, not promised: Holdfast refuses such settings at durability `disk`",
        `killed while a worker was between reservation and commit: ${between.counts.faults} times, ` +
          `${between.counts.doubtDone + between.counts.doubtNotDone} effects in doubt, ${between.counts.repeated} repeated`,
      ],
      broken: [...loops.flatMap(({ verdict }) => brokenBy(verdict)), ...brokenBy(between)],
      controls,
    };
  },
};

/** Refused at durability `disk`, so these roles promise only memory. */
const everySecond: Partial<TestbedOptions> = {
  store: ["--appendfsync", "everysec"],
  env: { HOLDFAST_DURABILITY: "memory" },
};

async function killLoops(context: Context, always: number, everysec: number) {
  return {
    always: await killInALoop(context, always, {}),
    everysec: await killInALoop(context, everysec, everySecond),
  };
}

/** `always` must lose nothing; what `everysec` loses is only measured. */
async function cutThePower(
  context: Context,
  kills: number,
): Promise<{ always: Loop; everysec: Loop } | undefined> {
  const storeEnv = powerCutEnvironment();
  if (storeEnv === undefined) return undefined;
  return {
    always: await killInALoop(context, kills, { storeEnv }),
    everysec: await killInALoop(context, Math.ceil(kills / 3), { ...everySecond, storeEnv }),
  };
}

interface Loop {
  readonly verdict: Verdict;
  readonly kills: number;
  /** Milliseconds from each kill to the next acknowledgement. */
  readonly recoveries: readonly number[];
}

const LANES = 12;

async function killInALoop(context: Context, kills: number, options: Partial<TestbedOptions>): Promise<Loop> {
  const { random, say } = context;
  return await withTestbed({ workers: 2, concurrency: 10, ...options }, async (testbed) => {
    let isOver = false;
    const keys = (function* () {
      for (let index = 0; !isOver; index += 1) yield `store-${index}`;
    })();
    const load = inLanes(keys, LANES, async (key) => {
      const accepted = await testbed.client.submit(actJob(key, random));
      if (random.next() < 0.5) await untilEnded(testbed, accepted?.id, 5_000);
    });
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(random.between(300, 1_200));
      await testbed.outages.kill();
      say(`${kill + 1} of ${kills} kills, ${testbed.client.acknowledged.length} jobs acknowledged`);
    }
    await sleep(1_000);
    isOver = true;
    await load;
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = kills;
    return { verdict, kills, recoveries: recoveries(testbed) };
  });
}

function recoveries({ outages, client }: Testbed): number[] {
  return outages.all.flatMap(({ from, to }) => {
    const first = client.acknowledged.find(({ at }) => at >= to);
    return first === undefined ? [] : [first.at - from];
  });
}

/** The worker reports the point it has reached, waits until Redis is dead, and goes on. */
async function killBetween(context: Context, perPoint: number): Promise<Verdict> {
  const points = ["reserve:after", "effect:recorded", "commit:before"] as const;
  const injections = repeated(points, perPoint).map((at) => ({ at, how: "store" }) as const);
  const jobs = actJobs("between", context.random, injections, 1);
  // Back at once, after the lock expired, and after the effect's deadline.
  const injectionMs = () => context.random.pick([0, 1_500, 4_000]);
  return await withTestbed({ workers: 2, concurrency: 1, injectionMs }, async (testbed) => {
    await inLanes(jobs, 3, async (job) => {
      const accepted = await testbed.client.submit(job);
      context.say(`${injectionsIn(testbed.trace.read()).length} of ${injections.length} kills between`);
      await untilEnded(testbed, accepted?.id);
    });
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = injectionsIn(testbed.trace.read()).length;
    return verdict;
  });
}

/** What the checker sees if an acknowledgement does not mean "on disk". */
async function storeControl(
  context: Context,
  protection: string,
  options: Partial<TestbedOptions>,
): Promise<Control> {
  context.say(`control: without ${protection}`);
  return await withTestbed(
    { workers: 0, env: { HOLDFAST_DURABILITY: "memory" }, ...options },
    async (testbed) => {
      for (let index = 0; index < 20; index += 1)
        await testbed.client.submit(actJob(`control-${index}`, context.random));
      await testbed.outages.kill();
      const { counts } = await check(testbed, 0);
      return {
        protection,
        isCaught: counts.lost > 0,
        seen: `${counts.lost} of ${counts.acknowledged} acknowledged jobs lost`,
      };
    },
  );
}

async function storeControls(context: Context): Promise<Control[]> {
  const storeEnv = powerCutEnvironment();
  const unsynced = { store: ["--appendfsync", "no"], storeEnv: storeEnv ?? {} };
  return [
    await storeControl(context, "Redis's log", { store: ["--appendonly", "no"] }),
    ...(storeEnv === undefined ? [] : [await storeControl(context, "fsync, in a power cut", unsynced)]),
  ];
}

function row(name: string, { verdict, kills, recoveries }: Loop): (string | number)[] {
  const sorted = [...recoveries].sort((a, b) => a - b);
  const { acknowledged, lost } = verdict.counts;
  return [
    name,
    kills,
    acknowledged,
    lost,
    sorted[Math.floor(sorted.length / 2)] ?? "–",
    sorted.at(-1) ?? "–",
  ];
}

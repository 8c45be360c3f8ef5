import { setTimeout as sleep } from "node:timers/promises";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, untilEnded, withBench } from "../lib/bench.ts";
import { check } from "../lib/checker.ts";
import { apiDoor } from "../lib/client.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import type { Role } from "../lib/role.ts";
import { inLanes } from "../lib/waiting.ts";

export const allAtOnce: Experiment = {
  number: 6,
  title: "Everything is killed at random",
  fault: "SIGKILL of API, workers, scheduler and Redis, each at random moments, all in one run",
  mustHold: "no acknowledged job lost, one job per key, no effect repeated, one job per tick",
  async run(context) {
    const forMs = context.isQuick ? 8_000 : 120_000;
    const size = { workers: context.isQuick ? 2 : 3, api: true, scheduler: true, concurrency: 6 };
    return await withBench(size, async (bench) => {
      const chaos = { isOver: false };
      const killing = killAtRandom(bench, context, forMs).finally(() => {
        chaos.isOver = true;
      });
      const jobs = submitWhile(bench, context, () => !chaos.isOver);
      const kills = await killing;
      await jobs;
      const verdict = await check(bench, 60_000);
      const ticks = ticksTold(bench);
      verdict.counts.faults = kills.total;
      return {
        counts: verdict.counts,
        table: { head: ["killed", "times"], rows: [...kills.times] },
        measured: [
          `${bench.client.unanswered} submissions got no answer`,
          `${ticks.told} ticks of an every-second schedule had their effect, in ${Math.round(forMs / 1_000)} s`,
        ],
        broken: [
          ...brokenBy(verdict),
          ...(ticks.repeated > 0 ? [`${ticks.repeated} ticks had their effect twice`] : []),
        ],
        controls: [],
      };
    });
  },
};

interface Kills {
  readonly total: number;
  readonly times: ReadonlyMap<string, number>;
}

const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 1_000;

async function killAtRandom(bench: Bench, { random, say }: Context, forMs: number): Promise<Kills> {
  const times = new Map<string, number>();
  const until = performance.now() + forMs;
  let total = 0;
  while (performance.now() < until) {
    await sleep(random.between(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS));
    const victim = random.pick(["worker", "worker", "api", "scheduler", "store"] as const);
    if (victim === "store") await bench.injectIntoRedis(random.between(0, 500));
    const role = {
      worker: random.pick(bench.workers),
      api: bench.api,
      scheduler: bench.scheduler,
      store: undefined,
    };
    await killRole(role[victim], random.next() < KILLED_AT_START);
    total += 1;
    times.set(victim, (times.get(victim) ?? 0) + 1);
    say(`${total} kills, ${bench.client.acknowledged.length} jobs acknowledged`);
  }
  return { total, times };
}

/** Mostly a role is killed while it does its work; this share at any moment, and so often while it starts. */
const KILLED_AT_START = 0.25;

async function killRole(role: Role | undefined, atAnyMoment: boolean): Promise<void> {
  if (!atAnyMoment) await role?.ready().catch(() => {});
  role?.signal("SIGKILL");
}

const LANES = 12;

/** Clients of the API, who send again with the same key until they hear something. */
async function submitWhile(bench: Bench, { random }: Context, goesOn: () => boolean): Promise<void> {
  const door = apiDoor(async () => (await bench.api?.ready())?.url ?? "");
  const keys = (function* () {
    for (let index = 0; goesOn(); index += 1) yield `chaos-${index}`;
  })();
  await inLanes(keys, LANES, async (key) => {
    const accepted = await bench.client.submit(actJob(key, random), door);
    // Some clients wait for the end, so that the load does not outrun the workers.
    if (random.next() < 0.5) await untilEnded(bench, accepted?.id, 10_000);
  });
}

function ticksTold(bench: Bench): { told: number; repeated: number } {
  const ticks = bench.told().filter(({ job }) => job.startsWith("schedule:"));
  return { told: ticks.length, repeated: ticks.length - new Set(ticks.map(({ key }) => key)).size };
}

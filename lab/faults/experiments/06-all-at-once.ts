import { setTimeout as sleep } from "node:timers/promises";
import { inLanes } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check } from "../lib/checker.ts";
import { apiSubmitter } from "../lib/client.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";

export const allAtOnce: Experiment = {
  number: 6,
  title: "Everything is killed at random",
  fault: "SIGKILL of API, workers, scheduler and Redis, each at random moments, all in one run",
  mustHold: "no acknowledged job lost, one job per key, no effect repeated, one job per tick",
  async run(context) {
    const forMs = context.isQuick ? 8_000 : 120_000;
    const size = { workers: context.isQuick ? 2 : 3, api: true, scheduler: true, concurrency: 6 };
    return await withTestbed(size, async (testbed) => {
      const chaos = { isOver: false };
      const killing = killAtRandom(testbed, context, forMs).finally(() => {
        chaos.isOver = true;
      });
      const jobs = submitWhile(testbed, context, () => !chaos.isOver);
      const kills = await killing;
      await jobs;
      const verdict = await check(testbed, 120_000);
      const ticks = tickEffects(testbed);
      verdict.counts.faults = kills.total;
      return {
        counts: verdict.counts,
        table: { head: ["killed", "times"], rows: [...kills.times] },
        measured: [
          `${testbed.client.unanswered} submissions got no answer`,
          `${ticks.witnessed} ticks of an every-second schedule had their effect, in ${Math.round(forMs / 1_000)} s`,
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

async function killAtRandom(testbed: Testbed, { random, say }: Context, forMs: number): Promise<Kills> {
  const times = new Map<string, number>();
  const until = performance.now() + forMs;
  let total = 0;
  while (performance.now() < until) {
    await sleep(random.between(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS));
    const victim = random.pick(["worker", "worker", "api", "scheduler", "Redis"] as const);
    if (victim === "Redis") await testbed.outages.kill(random.between(0, 500));
    const role = {
      worker: random.pick(testbed.workers),
      api: testbed.api,
      scheduler: testbed.scheduler,
      Redis: undefined,
    };
    await killRole(role[victim], random.next() < KILLED_AT_START);
    total += 1;
    times.set(victim, (times.get(victim) ?? 0) + 1);
    say(`${total} kills, ${testbed.client.acknowledged.length} jobs acknowledged`);
  }
  return { total, times };
}

/** Most kills hit a role at work; this share may hit it while it starts. */
const KILLED_AT_START = 0.25;

async function killRole(role: Role | undefined, atAnyMoment: boolean): Promise<void> {
  if (!atAnyMoment) await role?.ready().catch(() => {});
  role?.signal("SIGKILL");
}

const LANES = 12;

/** API clients that retry with the same key until they get an answer. */
async function submitWhile(testbed: Testbed, { random }: Context, goesOn: () => boolean): Promise<void> {
  const submitter = apiSubmitter(async () => (await testbed.api?.ready())?.url ?? "");
  const keys = (function* () {
    for (let index = 0; goesOn(); index += 1) yield `chaos-${index}`;
  })();
  await inLanes(keys, LANES, async (key) => {
    const accepted = await testbed.client.submit(actJob(key, random), submitter);
    // Some clients wait for the end, to keep the load from outrunning the workers.
    if (random.next() < 0.5) await untilEnded(testbed, accepted?.id, 10_000);
  });
}

function tickEffects(testbed: Testbed): { witnessed: number; repeated: number } {
  const ticks = testbed.witnessed().filter(({ job }) => job.startsWith("schedule:"));
  return { witnessed: ticks.length, repeated: ticks.length - new Set(ticks.map(({ key }) => key)).size };
}

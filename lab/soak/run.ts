import { setTimeout as sleep } from "node:timers/promises";
import { requireWritable, runCommand, say, UsageError, wholeNumber } from "../../test/support/command.ts";
import { number } from "../lib/numbers.ts";
import { type Load, startLoad } from "./lib/load.ts";
import { hasHeld, printSoak, type Soak, writeSoak } from "./lib/report.ts";
import { openSampler, type Sampler } from "./lib/sampler.ts";
import { startSystem } from "./lib/system.ts";
import { createTally } from "./lib/tally.ts";
import { trendOf } from "./lib/trend.ts";
import { checkWitness } from "./lib/witness.ts";

const usage = `npm run soak -- [options]

Runs API, worker and scheduler under steady load, and checks whether memory, handles and Redis's size level off.

  --minutes N    how long (1 to 1440; default 30)
  --quick        one minute: checks the counts, but is too short to judge growth
  --rate N       jobs a second (1 to 2000; default 100)
  --out DIR      where to write SOAK.md and soak.svg; default docs/ after 30 minutes or more, else nowhere
  --help         shows this text

Exit codes: 0 everything is level and every count right, 1 otherwise, 2 wrong usage.`;

const FULL_MINUTES = 30;
/** Compilers and heaps need some minutes to become stable. */
const JUDGED_MINUTES = 5;
/** Redis is stable after this share of the run, long before the judged half. */
const RETENTION_SHARE = 0.1;
/** A busy machine may read a job late; the job must still be there. */
const RETENTION_MIN_MS = 15_000;
const SAMPLES = 360;
const PROGRESS_EVERY_MS = 30_000;

await runCommand(
  usage,
  {
    minutes: { type: "string" },
    quick: { type: "boolean", default: false },
    rate: { type: "string", default: "100" },
    out: { type: "string" },
  },
  async ({ quick, ...given }) => {
    if (quick && given.minutes !== undefined)
      throw new UsageError("--quick is --minutes 1: give one of them");
    const text = given.minutes ?? (quick ? "1" : String(FULL_MINUTES));
    const minutes = wholeNumber("--minutes", text, 1, 1_440);
    const rate = wholeNumber("--rate", given.rate, 1, 2_000);
    const out = given.out ?? (minutes >= FULL_MINUTES ? "docs" : undefined);
    if (out !== undefined) requireWritable("--out", out);
    const soak = await run(minutes, rate);
    printSoak(soak);
    if (out !== undefined) writeSoak(soak, out);
    return hasHeld(soak) ? 0 : 1;
  },
);

async function run(minutes: number, rate: number): Promise<Soak> {
  const durationMs = minutes * 60_000;
  const retentionMs = Math.max(RETENTION_MIN_MS, durationMs * RETENTION_SHARE);
  const sampleMs = Math.max(1_000, durationMs / SAMPLES);
  const tally = createTally();
  const system = await startSystem(retentionMs);
  say(`Soak: ${minutes} minutes, ${rate} jobs a second, retention ${retentionMs / 1_000} s`);
  const sampler = openSampler(system);
  const load = startLoad(system.url, rate, tally);
  await Promise.race([watch(sampler, load, durationMs, sampleMs), system.ended]);
  await Promise.race([load.finish(), system.ended]);
  sampler.stop();
  for (const fault of await system.stop()) tally.fault(fault);
  const ticks = checkWitness(system.witness, tally);
  const trends = sampler.series.map(trendOf);
  return { minutes, rate, retentionMs, sampleMs, tally, ticks, trends, isJudged: minutes >= JUDGED_MINUTES };
}

/** Samples until the time is up, and reports progress now and then. */
async function watch(sampler: Sampler, load: Load, durationMs: number, sampleMs: number): Promise<void> {
  const startedAt = performance.now();
  let reportedAt = 0;
  for (let at = 0; at < durationMs; at = performance.now() - startedAt) {
    await sampler.sample();
    if (at - reportedAt >= PROGRESS_EVERY_MS) {
      reportedAt = at;
      say(`${Math.round(at / 1_000)} s: ${progressOf(sampler, load)}`);
    }
    await sleep(sampleMs);
  }
}

function progressOf({ latest }: Sampler, { open }: Load): string {
  const memory = ["API", "worker", "scheduler"].map(
    (role) => `${role} ${number(latest(role, "resident memory"))} MB`,
  );
  const store = `store ${number(latest("store", "Redis: memory in use"))} MB, ${number(latest("store", "Redis: keys"))} keys`;
  return `${open} jobs open, ${memory.join(", ")}, ${store}`;
}

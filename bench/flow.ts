import { runCommand, say } from "../test/support/command.ts";
import { startRedisServer } from "../test/support/redis-server.ts";
import { plainTable } from "../test/support/report.ts";
import { measureCost } from "./flow/cost.ts";
import { measureKeyed } from "./flow/keyed.ts";
import { measureOrder } from "./flow/order.ts";
import { measureTags } from "./flow/tags.ts";

const usage = `npm run flow -- [options]

Measures what tags cost with many jobs, and queues that are shared fairly: when a small tenant's job starts, in which ratio weights
are served, and what a fair submission costs Redis, against a plain one. Then jobs that run one at a time for each key, against the
same without keys: how many a second, and whether any ran beside another of its key or out of order.

  --quick  a short form
  --help   shows this text

Exit codes: 0 the order is as promised, 1 it is not, 2 wrong usage.`;

const full = { waiting: 100_000, rounds: 60, keyed: { jobs: 100_000, keys: 1_000, workers: 4, rounds: 2 } };
const quick = { waiting: 10_000, rounds: 10, keyed: { jobs: 5_000, keys: 250, workers: 4, rounds: 1 } };
const SLOTS = 10;

await runCommand(usage, { quick: { type: "boolean", default: false } }, async ({ quick: isQuick }) => {
  const { waiting, rounds, keyed } = isQuick ? quick : full;
  // The disk is not measured.
  const server = await startRedisServer({ args: ["--appendfsync", "no"] });
  try {
    const { startedAs, ratio } = await measureOrder(server.url, { waiting, slots: SLOTS });
    const size = { rounds, jobsEach: 320, tenants: 1_000 };
    const costs = [await measureCost(server.url, 1, size), await measureCost(server.url, 32, size)];
    say(`With ${waiting} jobs of a large tenant waiting, a small one's job started as number ${startedAs}.`);
    say(`Weights 3 and 1: ${ratio.toFixed(2)} to 1.`);
    const rows = costs.map(({ together, plainUs, fairUs, ratio: cost }) => [
      together,
      plainUs.toFixed(1),
      fairUs.toFixed(1),
      cost.toFixed(2),
    ]);
    say(plainTable({ head: ["submissions in one command", "plain, µs of Redis", "fair", "ratio"], rows }));
    const oneAtATime = await measureKeyed(server.url, keyed);
    say(
      `${keyed.jobs} jobs, ${keyed.workers} workers: ${Math.round(oneAtATime.plain)} a second; one at a time for each of ${keyed.keys} ` +
        `keys ${Math.round(oneAtATime.keyed)}, ${oneAtATime.ratio.toFixed(2)} times as many, ${oneAtATime.early} too early or out of order.`,
    );
    if (oneAtATime.early > 0) return 1;
    const { rareMs, totalMs, commonMs, largeBytes, smallBytes } = await measureTags(server.url, waiting);
    say(
      `With ${waiting} jobs, GET /jobs?tag=… of 50: ${rareMs.toFixed(1)} ms for a rare tag (${totalMs.toFixed(1)} ms with`,
    );
    say(
      `total=true), ${commonMs.toFixed(1)} ms for one that all have. Memory of an entry: ${largeBytes.toFixed(0)} bytes in a`,
    );
    say(`large tag, ${smallBytes.toFixed(0)} in a small one.`);
    return startedAs <= SLOTS + 1 && Math.abs(ratio / 3 - 1) < 0.05 ? 0 : 1;
  } finally {
    await server.stop();
  }
});

import { runCommand, say } from "../test/support/command.ts";
import { startRedisServer } from "../test/support/redis-server.ts";
import { plainTable } from "../test/support/report.ts";
import { measureCost } from "./flow/cost.ts";
import { measureLargeFlow } from "./flow/large-flow.ts";
import { measureOrder } from "./flow/order.ts";

const usage = `npm run flow -- [options]

Measures queues that are shared fairly: when a small tenant's job starts, in which ratio weights are served, and what a fair
submission costs Redis, against a plain one. And a flow of many children: how long it takes, and whether its parent reads each once.

  --quick  a short form
  --help   shows this text

Exit codes: 0 order and flow are as promised, 1 they are not, 2 wrong usage.`;

const full = { waiting: 100_000, rounds: 60, children: 10_000 };
const quick = { waiting: 10_000, rounds: 10, children: 1_000 };
const SLOTS = 10;

await runCommand(usage, { quick: { type: "boolean", default: false } }, async ({ quick: isQuick }) => {
  const { waiting, rounds, children } = isQuick ? quick : full;
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
    const flow = await measureLargeFlow(server.url, children);
    const [submitted, ran, read] = [flow.submittedMs, flow.ranMs, flow.readMs].map(Math.round);
    say(
      `A flow of ${children} children: submitted in ${submitted} ms, run in ${ran} ms, read in ${read} ms; each child once: ${flow.isWhole}.`,
    );
    return startedAs <= SLOTS + 1 && Math.abs(ratio / 3 - 1) < 0.05 && flow.isWhole ? 0 : 1;
  } finally {
    await server.stop();
  }
});

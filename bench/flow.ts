import { runCommand, say } from "../test/support/command.ts";
import { startRedisServer } from "../test/support/redis-server.ts";
import { plainTable } from "../test/support/report.ts";
import { measureCost } from "./flow/cost.ts";
import { type HistoryCost, measureHistory } from "./flow/history.ts";
import { measureOrder } from "./flow/order.ts";

const usage = `npm run flow -- [options]

Measures queues that are shared fairly: when a small tenant's job starts, in which ratio weights are served, and what a fair
submission costs Redis, against a plain one; then what a queue's history costs.

  --quick  a short form
  --help   shows this text

Exit codes: 0 the order is as promised, 1 it is not, 2 wrong usage.`;

const full = { waiting: 100_000, rounds: 60 };
const quick = { waiting: 10_000, rounds: 10 };
const SLOTS = 10;
const HISTORY_TYPES = 20;

function historyText({ types, bytesPerType, bullmqBytes, attemptNs }: HistoryCost): string {
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
  return `History of ${types} busy types: ${kilobytes(bytesPerType)} each, ${Math.round(attemptNs)} ns to count an attempt. BullMQ's metrics of a queue for 14 days: ${kilobytes(bullmqBytes)}.`;
}

await runCommand(usage, { quick: { type: "boolean", default: false } }, async ({ quick: isQuick }) => {
  const { waiting, rounds } = isQuick ? quick : full;
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
    say(historyText(await measureHistory(server.url, HISTORY_TYPES)));
    return startedAs <= SLOTS + 1 && Math.abs(ratio / 3 - 1) < 0.05 ? 0 : 1;
  } finally {
    await server.stop();
  }
});

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runCommand, say } from "../../test/support/command.ts";
import { commonFacts, markdownTable, type Table } from "../../test/support/report.ts";
import { type Cost, type CostSize, measureCost } from "./scale/cost.ts";
import { type Crowd, Processes } from "./scale/crowd.ts";
import { describeIdle, IDLE_HEADING, type Idle, measureIdle, withMasters } from "./scale/idle.ts";
import { demand, modelTable, unitOf } from "./scale/model.ts";

const usage = `npm run scale -- [options]

Measures what jobs, partitions, masters, connections and processes cost Redis, and computes from that what a large
installation needs. Writes docs/SCALE.md.

  --quick  a short form, without the crowd of processes; writes nothing
  --idle   only what idle processes cost, about five minutes; writes that section
  --help   shows this text

The full form takes about eight minutes on two cores, and 12 GB of memory for a hundred processes.
Exit codes: 0 as promised, 1 a promise does not hold, 2 wrong usage.`;

interface Size extends CostSize {
  readonly masters: readonly number[];
  readonly partitions: readonly number[];
  readonly rounds: number;
  readonly crowds: readonly number[];
  readonly crowdIdleMs: number;
}

const full: Size = {
  masters: [1, 2, 4],
  partitions: [1, 8, 64],
  rounds: 4,
  jobs: 12_000,
  idleMs: 5_000,
  crowds: [5, 10, 25, 50],
  crowdIdleMs: 10_000,
};
const quick: Size = {
  ...full,
  masters: [1, 2],
  partitions: [1, 8],
  rounds: 1,
  jobs: 4_000,
  idleMs: 2_000,
  crowds: [2],
  crowdIdleMs: 2_000,
};

/** A job costs Redis at most so much more than in one partition on one server. */
const FLAT = 1.05;

const reportPath = fileURLToPath(new URL("../../docs/SCALE.md", import.meta.url));
const flags = {
  quick: { type: "boolean", default: false },
  idle: { type: "boolean", default: false },
} as const;

await runCommand(usage, flags, async ({ quick: isQuick, idle: isIdleOnly }) => {
  if (isIdleOnly) return await writeIdle();
  const size = isQuick ? quick : full;
  const costs = await measureCosts(size);
  const idle = await measureIdle(size.crowdIdleMs);
  const crowds = await measureCrowds(size);
  const [first] = costs;
  const last = crowds.at(-1);
  const [one, eight] = idle.filter(({ queues, processes }) => queues === 1 && processes.worker === 1);
  if (first === undefined || last === undefined || one === undefined || eight === undefined) return 1;
  const model = modelTable(unitOf(first, one, eight, last), demand);
  const report = describe({ costs, idle, crowds, model });
  say(report);
  if (!isQuick) writeFileSync(reportPath, report);
  return costs.every(({ misdirected }) => misdirected === 0) ? 0 : 1;
});

/** The other sections stay as they are. */
async function writeIdle(): Promise<number> {
  const section = describeIdle(await measureIdle(full.crowdIdleMs));
  say(section);
  const report = readFileSync(reportPath, "utf8");
  const from = report.indexOf(IDLE_HEADING);
  const next = report.indexOf("\n## ", from);
  writeFileSync(reportPath, report.slice(0, from) + section + report.slice(next));
  return 0;
}

/** Each several times, in turn; the least counts, because other processes only add to it. */
async function measureCosts(size: Size): Promise<Cost[]> {
  const costs = new Map<string, Cost>();
  for (let round = 1; round <= size.rounds; round += 1)
    for (const masters of size.masters)
      await withMasters(masters, async (cluster) => {
        for (const partitions of size.partitions) {
          say(`… round ${round} of ${size.rounds}: ${masters} masters, ${partitions} partitions`);
          const cell = `${masters} ${partitions}`;
          costs.set(cell, least(costs.get(cell), await measureCost(cluster, partitions, size)));
        }
      });
  return [...costs.values()];
}

function least(known: Cost | undefined, found: Cost): Cost {
  if (known === undefined) return found;
  return {
    ...found,
    submitUs: Math.min(known.submitUs, found.submitUs),
    runUs: Math.min(known.runUs, found.runUs),
    idleUs: Math.min(known.idleUs, found.idleUs),
    misdirected: known.misdirected + found.misdirected,
  };
}

/** As many API processes as workers, on one store. */
async function measureCrowds({ crowds, crowdIdleMs }: Size): Promise<Crowd[]> {
  return await withMasters(1, async (cluster) => {
    const processes = new Processes(cluster);
    const found: Crowd[] = [];
    try {
      for (const count of crowds) {
        say(`… ${count} API processes and ${count} workers`);
        await processes.grow("api", count);
        await processes.grow("worker", count);
        found.push(await processes.measure(crowdIdleMs));
      }
      return found;
    } finally {
      await processes.stop();
    }
  });
}

interface Report {
  readonly costs: readonly Cost[];
  readonly idle: readonly Idle[];
  readonly crowds: readonly Crowd[];
  readonly model: Table;
}

function describe({ costs, idle, crowds, model }: Report): string {
  const facts = Object.entries(commonFacts()).map(([name, value]) => `${name} ${value}`);
  return `# Scale

What jobs, partitions, masters and processes cost Redis. Measured and written by \`npm run scale\`: ${facts.join("; ")}.

## What does a job cost?

Microseconds of Redis's processor (main thread, without the disk) for one job that is submitted and run with one effect, summed over all masters, without what the idle
processes cost. The load grows with the partitions: each has 8 submissions and 20 attempts under way. One worker process on the cores of this
machine is shared by all masters: with more of them, each gets fewer commands at a time, and reads and answers more often for the same jobs.

${markdownTable(costTable(costs))}

No command was sent to a wrong server, and none touched two slots: ${costs.reduce((sum, { misdirected }) => sum + misdirected, 0)} refusals (MOVED, ASK, CROSSSLOT) counted at the servers. The goal is at most
${FLAT} × of one partition on one server: ${isFlat(costs) ? "reached" : "missed"}.

${describeIdle(idle)}
## Does anything grow faster than the number of processes?

As many API processes as workers, with one queue on one server, and nothing to do.

${markdownTable({
  head: [
    "API processes",
    "workers",
    "connections",
    "each",
    "Redis's memory for clients, MiB",
    "KiB each",
    "Redis's processor, µs/s",
    "each",
    "memory of a process, MB",
  ],
  rows: crowds.map(({ processes: { api, worker }, connections: count, clientBytes, idleUs, rssBytes }) => [
    api,
    worker,
    count,
    (count / (api + worker)).toFixed(1),
    (clientBytes / 2 ** 20).toFixed(1),
    (clientBytes / count / 1024).toFixed(1),
    Math.round(idleUs),
    Math.round(idleUs / (api + worker)),
    Math.round(rssBytes / 2 ** 20),
  ]),
})}

## What would ${demand.jobsPerMinute.toLocaleString("en")} jobs a minute take?

Computed from the numbers above, for ${demand.queues} queues and ${demand.workers.toLocaleString("en")} workers. It was not run.

${markdownTable(model)}

**Connections give out first**, if every worker claims from every queue: each costs a worker connections and some idle polling of Redis. Give groups of workers their own queues, which is also
what keeps slow jobs from delaying quick ones. Then the masters' processors decide: add masters, and partitions for a queue that is hotter than one master.
`;
}

function costTable(costs: readonly Cost[]): Table {
  return {
    head: ["masters", "partitions", "submit", "run", "together", "× the first"],
    rows: costs.map((cost) => {
      const { masters, partitions, submitUs, runUs } = cost;
      return [
        masters,
        partitions,
        submitUs.toFixed(0),
        runUs.toFixed(0),
        (submitUs + runUs).toFixed(0),
        ratioOf(cost, costs).toFixed(2),
      ];
    }),
  };
}

function ratioOf({ submitUs, runUs }: Cost, [first]: readonly Cost[]): number {
  return (submitUs + runUs) / ((first?.submitUs ?? 0) + (first?.runUs ?? 0));
}

function isFlat(costs: readonly Cost[]): boolean {
  return costs.every((cost) => ratioOf(cost, costs) <= FLAT);
}

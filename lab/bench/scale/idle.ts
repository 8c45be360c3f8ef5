import { say } from "../../../test/support/command.ts";
import { markdownTable } from "../../../test/support/report.ts";
import { type Masters, startMasters } from "./cluster.ts";
import { type Crowd, Processes } from "./crowd.ts";

/** What one process costs that has nothing to do. */
export interface Idle extends Crowd {
  readonly masters: number;
  readonly queues: number;
  readonly partitions: number;
}

const cells = [
  { masters: 1, queues: 1, partitions: 1 },
  { masters: 1, queues: 10, partitions: 1 },
  { masters: 1, queues: 1, partitions: 8 },
  { masters: 3, queues: 1, partitions: 1 },
  { masters: 3, queues: 10, partitions: 1 },
  { masters: 3, queues: 1, partitions: 8 },
] as const;
const roles = ["worker", "api", "scheduler"] as const;

/** One process of each role alone. */
export async function measureIdle(idleMs: number): Promise<Idle[]> {
  const found: Idle[] = [];
  for (const cell of cells)
    for (const role of roles)
      await withMasters(cell.masters, async (cluster) => {
        say(
          `… idle: ${role}, ${cell.masters} masters, ${cell.queues} queues of ${cell.partitions} partitions`,
        );
        const processes = new Processes(cluster, cell);
        try {
          await processes.grow(role, 1);
          found.push({ ...(await processes.measure(idleMs)), ...cell });
        } finally {
          await processes.stop();
        }
      });
  return found;
}

export const IDLE_HEADING = "## What does an idle process cost?";

/** The section of the report. */
export function describeIdle(found: readonly Idle[]): string {
  return `${IDLE_HEADING}

Commands include those inside scripts. A worker also has Holdfast's own queue. Each second a worker asks once for each queue or partition what there is to
sweep; most of the rest are heartbeats, and checks that Redis has lost nothing.

${markdownTable({
  head: [
    "role",
    "masters",
    "queues",
    "partitions of each",
    "connections",
    "commands a second",
    "Redis's processor, µs/s",
    "memory of the process, MB",
  ],
  rows: found.map(({ processes, masters, queues, partitions, connections, commands, idleUs, rssBytes }) => [
    roles.find((role) => processes[role] > 0) ?? "",
    masters,
    queues,
    partitions,
    connections,
    Math.round(commands),
    Math.round(idleUs),
    Math.round(rssBytes / 2 ** 20),
  ]),
})}
`;
}

export async function withMasters<T>(count: number, work: (masters: Masters) => Promise<T>): Promise<T> {
  const masters = await startMasters(count);
  try {
    return await work(masters);
  } finally {
    await masters.stop();
  }
}

import type { ReactNode } from "react";
import { count, rate } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { PauseNote } from "../parts/pause.tsx";
import { Age } from "../parts/time.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { QueueHand } from "./queue-hand.tsx";

interface QueueColumn {
  readonly title: string;
  readonly cell: (queue: QueueOverview) => ReactNode;
}

const columns: readonly QueueColumn[] = [
  { title: "Waiting", cell: ({ waiting }) => count(waiting) },
  { title: "Prioritized", cell: ({ prioritized }) => count(prioritized) },
  {
    title: "Oldest waits",
    cell: ({ oldestWaitingSince }) => (oldestWaitingSince === null ? "–" : <Age at={oldestWaitingSince} />),
  },
  { title: "Delayed", cell: ({ delayed }) => count(delayed) },
  { title: "Active", cell: ({ active }) => count(active) },
  { title: "Completed/s", cell: ({ completedPerSecond }) => rate(completedPerSecond) },
  { title: "Failed/s", cell: ({ failedPerSecond }) => rate(failedPerSecond) },
  { title: "Failed", cell: ({ failed }) => count(failed) },
  { title: "In doubt", cell: ({ inDoubt }) => count(inDoubt) },
  { title: "Pause", cell: (queue) => <QueueHand {...queue} /> },
];

/** The jobs of each queue by state, and the age of the oldest waiting one. */
export function QueueTable({ queues }: { readonly queues: readonly QueueOverview[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="scroller" aria-label="Queues, table" tabIndex={0}>
      <table className="figures queues">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            {columns.map(({ title }) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.name}>
              <th scope="row">
                <Text of={queue.name} />
                <PauseNote paused={queue.paused} />
              </th>
              {columns.map(({ title, cell }) => (
                <td key={title} data-title={title}>
                  {cell(queue)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

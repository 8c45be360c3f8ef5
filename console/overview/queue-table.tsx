import { type ReactNode, useState } from "react";
import { count, rate } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { type Pause, PauseNote } from "../parts/pause.tsx";
import { Age } from "../parts/time.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { serviceNow } from "../service/clock.ts";
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
];

interface Props {
  readonly queues: readonly QueueOverview[];
  /** When they were read. */
  readonly at: string;
}

/** The jobs of each queue by state, and the age of the oldest waiting one. */
export function QueueTable({ queues, at }: Props) {
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
            <th scope="col">Pause, limit</th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <QueueRow key={queue.name} queue={queue} at={at} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface PauseChange {
  readonly at: string;
  readonly paused: Pause | null;
}

function QueueRow({ queue: read, at }: { readonly queue: QueueOverview; readonly at: string }) {
  // The overview is up to two seconds old: what was just done counts until a newer one comes.
  const [change, setChange] = useState<PauseChange | null>(null);
  const queue =
    change === null || change.at < at
      ? read
      : { ...read, isPaused: change.paused !== null, paused: change.paused };
  return (
    <tr>
      <th scope="row">
        <Text of={queue.name} />
        <PauseNote paused={queue.paused} />
      </th>
      {columns.map(({ title, cell }) => (
        <td key={title} data-title={title}>
          {cell(queue)}
        </td>
      ))}
      <td className="hand">
        <QueueHand queue={queue} onPauseChange={(paused) => setChange({ at: serviceNow(), paused })} />
      </td>
    </tr>
  );
}

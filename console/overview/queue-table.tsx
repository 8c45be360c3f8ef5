import { type ReactNode, useState } from "react";
import { Figure } from "../parts/figure.tsx";
import { count, duration, rate } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { type Pause, PauseNote } from "../parts/pause.tsx";
import { Age } from "../parts/time.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { serviceNow } from "../service/clock.ts";
import { QueueHand } from "./queue-hand.tsx";

interface QueueColumn {
  readonly title: string;
  /** Of when it is, or of which jobs. */
  readonly over: string;
  readonly cell: (queue: QueueOverview) => ReactNode;
}

const columns: readonly QueueColumn[] = [
  { title: "Waiting", over: "now", cell: ({ waiting }) => count(waiting) },
  { title: "Prioritized", over: "now", cell: ({ prioritized }) => count(prioritized) },
  {
    title: "Oldest waits",
    over: "now",
    cell: ({ oldestWaitingSince }) => (oldestWaitingSince === null ? "–" : <Age at={oldestWaitingSince} />),
  },
  { title: "Delayed", over: "now", cell: ({ delayed }) => count(delayed) },
  { title: "Active", over: "now", cell: ({ active }) => count(active) },
  { title: "Completed/s", over: "last 10 s", cell: ({ completedPerSecond }) => rate(completedPerSecond) },
  { title: "Failed/s", over: "last 10 s", cell: ({ failedPerSecond }) => rate(failedPerSecond) },
  { title: "Failed", over: "kept", cell: ({ failed, cancelled }) => count(failed - cancelled) },
  { title: "Cancelled", over: "kept", cell: ({ cancelled }) => count(cancelled) },
  { title: "In doubt", over: "now", cell: ({ inDoubt }) => count(inDoubt) },
];

/** Jobs that nobody runs, then jobs that wait for a person, then a pause. */
function trouble({
  workers,
  waiting,
  prioritized,
  failed,
  cancelled,
  inDoubt,
  isPaused,
}: QueueOverview): number {
  if (workers === 0 && waiting + prioritized > 0) return 3;
  return failed - cancelled + inDoubt > 0 ? 2 : Number(isPaused);
}

interface Props {
  readonly queues: readonly QueueOverview[];
  /** When they were read. */
  readonly at: string;
}

/** The jobs of each queue by state, and the age of the oldest waiting one; those in trouble first. */
export function QueueTable({ queues, at }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="scroller" aria-label="Queues, table" tabIndex={0}>
      <table className="figures queues">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            {columns.map(({ title, over }) => (
              <th scope="col" key={title}>
                {title}
                <span className="over"> {over}</span>
              </th>
            ))}
            <th scope="col">Pause, limit</th>
          </tr>
        </thead>
        <tbody>
          {queues
            .toSorted((one, other) => trouble(other) - trouble(one))
            .map((queue) => (
              <QueueRow key={queue.name} queue={queue} at={at} />
            ))}
        </tbody>
      </table>
    </section>
  );
}

/** What keeps its jobs waiting, other than a pause. */
function QueueNote({ queue: { workers, limits, limitedBy, clearsInMs, waiting, prioritized } }: RowProps) {
  const limit = [limits.rate, limits.concurrency && `${limits.concurrency} at a time`].filter(Boolean);
  return (
    <>
      {workers === 0 && (
        <span className="pause-note">
          <span className="tag bad">no worker</span> {waiting + prioritized > 0 && "its jobs wait for one"}
        </span>
      )}
      {limit.length > 0 && (
        <span className="pause-note">
          <span className="tag">limited</span> {limit.join(", ")}
          {limitedBy !== null && (
            <>
              {" by "}
              <Text of={limitedBy} />
            </>
          )}
          {clearsInMs !== null &&
            clearsInMs > 0 &&
            `; the last of ${count(waiting + prioritized)} starts in ${duration(clearsInMs)}`}
        </span>
      )}
    </>
  );
}

interface RowProps {
  readonly queue: QueueOverview;
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
        <QueueNote queue={queue} />
      </th>
      {columns.map(({ title, over, cell }) => (
        <Figure key={title} title={`${title}, ${over}`}>
          {cell(queue)}
        </Figure>
      ))}
      <td className="hand">
        <QueueHand queue={queue} onPauseChange={(paused) => setChange({ at: serviceNow(), paused })} />
      </td>
    </tr>
  );
}

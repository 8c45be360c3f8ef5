import { type ReactNode, useRef, useState } from "react";
import { Figure } from "../parts/figure.tsx";
import { count, duration, rate } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { Text, To } from "../parts/link.tsx";
import { Scroller } from "../parts/page.tsx";
import { type Pause, PauseNote } from "../parts/pause.tsx";
import { Spark } from "../parts/spark.tsx";
import { Age, Instant } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { QueueOverview, TypeOverview } from "../service/answers.ts";
import { serviceNow, useNow } from "../service/clock.ts";
import { curbText } from "./curb-text.ts";
import { areAllQuiet, sum, waitingIn } from "./needs.ts";
import { QueueHand } from "./queue-hand.tsx";
import { TypeTable } from "./type-table.tsx";

interface QueueColumn {
  readonly title: string;
  /** Of when it is, or of which jobs. */
  readonly over: string;
  readonly cell: (queue: QueueOverview, types: readonly TypeOverview[]) => ReactNode;
  /** The words on a number, where they say more than the heading. */
  readonly about?: string;
  /** @default whether its text is a zero */
  readonly nothing?: (queue: QueueOverview) => boolean;
  /** Whether it is left out until a queue has some. */
  readonly isFolded?: boolean;
}

const columns: readonly QueueColumn[] = [
  {
    title: "Waiting",
    over: "now",
    about: "jobs that a worker could start: BullMQ's states waiting and prioritized",
    cell: (queue) => <Listed queue={queue} state="waiting" of={waitingIn(queue)} />,
    nothing: (queue) => waitingIn(queue) === 0,
  },
  {
    title: "Oldest waits",
    over: "now",
    cell: ({ oldestWaitingSince }) => (oldestWaitingSince === null ? "–" : <Age at={oldestWaitingSince} />),
  },
  {
    title: "Running",
    over: "now",
    about: "BullMQ's state active",
    cell: (queue) => <Listed queue={queue} state="active" of={queue.active} />,
    nothing: ({ active }) => active === 0,
  },
  {
    title: "Delayed",
    over: "now",
    cell: (queue) => <Listed queue={queue} state="delayed" of={queue.delayed} />,
    nothing: ({ delayed }) => delayed === 0,
    isFolded: true,
  },
  {
    title: "Completed",
    over: "last hour",
    cell: (_queue, types) => <Spark steps={stepsOf(types)} what="completed in the last hour" />,
  },
  { title: "Completed/s", over: "last 10 s", cell: ({ completedPerSecond }) => rate(completedPerSecond) },
  {
    title: "Failed",
    over: "kept",
    cell: (queue) => <Listed queue={queue} state="failed" of={queue.failed} isExact={queue.isFailedExact} />,
    nothing: ({ failed }) => failed === 0,
    isFolded: true,
  },
  {
    title: "In doubt",
    over: "now",
    cell: ({ inDoubt }) =>
      inDoubt === 0 ? (
        "0"
      ) : (
        <To to="/doubts" className="doubt">
          {count(inDoubt)}
        </To>
      ),
    nothing: ({ inDoubt }) => inDoubt === 0,
    isFolded: true,
  },
  {
    title: "Cancelled",
    over: "kept",
    cell: ({ cancelled }) => count(cancelled),
    nothing: ({ cancelled }) => cancelled === 0,
    isFolded: true,
  },
];

interface ListedProps {
  readonly queue: QueueOverview;
  readonly state: "waiting" | "active" | "delayed" | "failed";
  readonly of: number;
  /** @default true */
  readonly isExact?: boolean;
}

/** A number of jobs, as a way to them. */
function Listed({ queue: { name }, state, of, isExact = true }: ListedProps) {
  if (of === 0) return "0";
  return (
    <To
      to={`/jobs?queue=${encodeURIComponent(name)}&state=${state}`}
      className={state === "failed" ? "bad" : "number"}
    >
      {isExact ? "" : "at least "}
      {count(of)}
    </To>
  );
}

function stepsOf(types: readonly TypeOverview[]): number[] {
  const [first] = types;
  const steps = first?.lastHour.completedEachTwoMinutes ?? [];
  return steps.map((_, index) =>
    sum(types.map(({ lastHour }) => lastHour.completedEachTwoMinutes[index] ?? 0)),
  );
}

/** Jobs that nobody runs, then jobs that wait for a person, then a pause. */
function trouble(queue: QueueOverview): number {
  if (queue.workers === 0 && waitingIn(queue) > 0) return 3;
  return queue.failed + queue.inDoubt > 0 ? 2 : Number(queue.isPaused);
}

interface Props {
  readonly queues: readonly QueueOverview[];
  readonly types: readonly TypeOverview[];
  /** When they were read. */
  readonly at: string;
}

/** One row for each queue, those in trouble first; its types below it, once somebody opens it. */
export function QueueTable({ queues, types, at }: Props) {
  const shown = useColumns(queues);
  return (
    <Scroller label="Queues, table">
      <table className="figures queues">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            {shown.map(({ title, over, about }) => (
              <th scope="col" key={`${title} ${over}`} title={about}>
                {title}
                <span className="over"> {over}</span>
              </th>
            ))}
            <th scope="col">
              <span className="spoken">Acts</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {queues
            .toSorted((one, other) => trouble(other) - trouble(one))
            .map((queue) => (
              <QueueRow
                key={queue.name}
                queue={queue}
                types={types.filter((type) => type.queue === queue.name)}
                columns={shown}
                at={at}
              />
            ))}
        </tbody>
      </table>
    </Scroller>
  );
}

/** Without those that are nothing everywhere; one that was shown stays, so that nothing jumps. */
function useColumns(queues: readonly QueueOverview[]): readonly QueueColumn[] {
  const seen = useRef(new Set<QueueColumn>());
  for (const column of columns)
    if (column.isFolded !== true || queues.some((queue) => column.nothing?.(queue) === false))
      seen.current.add(column);
  return columns.filter((column) => seen.current.has(column));
}

const CURBS_SHOWN = 3;

/** What keeps its jobs waiting, other than a pause. */
function QueueNote({ queue }: Pick<RowProps, "queue">) {
  const { workers, limits, limitedBy, clearsInMs, isPaused, ramp, curbs } = queue;
  const limit = [limits.rate, limits.concurrency && `${limits.concurrency} at a time`].filter(Boolean);
  const waiting = waitingIn(queue);
  return (
    <>
      {workers === 0 && (
        <span className="pause-note">
          <span className="tag bad">no worker</span> {waiting > 0 && "its jobs wait for one"}
        </span>
      )}
      {areAllQuiet(queue) && (
        <span className="pause-note">
          <span className="tag bad">workers quiet</span> {waiting > 0 && "its jobs wait for one"}
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
          {!isPaused &&
            clearsInMs !== null &&
            clearsInMs > 0 &&
            `; the last of ${count(waiting)} starts in ${duration(clearsInMs)}`}
        </span>
      )}
      {ramp !== null && <RampNote ramp={ramp} />}
      {curbs.slice(0, CURBS_SHOWN).map((curb) => (
        <span key={curbText(curb)} className="pause-note">
          <span className="tag">{curb.concurrency === null ? "paused" : "limited"}</span>{" "}
          <Text of={curbText(curb)} />
          {curb.concurrency !== null && `, ${curb.concurrency} at a time`}
        </span>
      ))}
      {curbs.length > CURBS_SHOWN && (
        <span className="pause-note">and {count(curbs.length - CURBS_SHOWN)} more types or keys</span>
      )}
    </>
  );
}

function RampNote({ ramp: { since, until } }: { readonly ramp: NonNullable<QueueOverview["ramp"]> }) {
  const now = useNow();
  const [from, to] = [Date.parse(since), Date.parse(until)];
  const share = Math.min(99, Math.max(0, Math.floor(((now - from) / (to - from)) * 100)));
  return (
    <span className="pause-note">
      <span className="tag">ramping up</span> {share} %, until <Instant at={until} />
    </span>
  );
}

interface PauseChange {
  readonly at: string;
  readonly paused: Pause | null;
}

interface RowProps {
  readonly queue: QueueOverview;
  readonly types: readonly TypeOverview[];
  /** All of them, so that none claims its jobs. */
  readonly columns: readonly QueueColumn[];
  readonly at: string;
}

function QueueRow({ queue: read, types, columns: shown, at }: RowProps) {
  const [isOpen, setOpen] = useState(false);
  // The overview is up to two seconds old: what was just done counts until a newer one comes.
  const [change, setChange] = useState<PauseChange | null>(null);
  const queue =
    change === null || change.at < at
      ? read
      : { ...read, isPaused: change.paused !== null, paused: change.paused };
  return (
    <>
      <tr>
        <th scope="row">
          <button
            type="button"
            className="opener"
            aria-expanded={isOpen}
            aria-label={visible(`Types of ${queue.name}`)}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon of="open" />
            <Text of={queue.name} />
          </button>
          <PauseNote paused={queue.paused} />
          <QueueNote queue={queue} />
        </th>
        {shown.map(({ title, over, cell, nothing }) => (
          <Figure
            key={`${title} ${over}`}
            title={`${title}, ${over}`}
            {...(nothing !== undefined && { isNothing: nothing(queue) })}
          >
            {cell(queue, types)}
          </Figure>
        ))}
        <td className="hand">
          <QueueHand queue={queue} onPauseChange={(paused) => setChange({ at: serviceNow(), paused })} />
        </td>
      </tr>
      {isOpen && (
        <tr className="types-row">
          <td colSpan={shown.length + 2}>
            <TypeTable queue={queue.name} types={types} />
          </td>
        </tr>
      )}
    </>
  );
}

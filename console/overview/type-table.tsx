import { type ReactNode, useState } from "react";
import { Figure } from "../parts/figure.tsx";
import { bytes, count, duration, rate } from "../parts/format.ts";
import { Text, To } from "../parts/link.tsx";
import { Scroller } from "../parts/page.tsx";
import { Age } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { TypeOverview } from "../service/answers.ts";

interface TypeColumn {
  readonly title: string;
  /** Of when it is. */
  readonly over: string;
  /** What the title leaves out. */
  readonly about: string;
  readonly cell: (type: TypeOverview) => ReactNode;
  /** Large ones first. */
  readonly order: (type: TypeOverview) => number;
}

const columns: readonly TypeColumn[] = [
  {
    title: "Running",
    over: "now",
    about: "attempts under way",
    cell: ({ active }) => count(active),
    order: ({ active }) => active,
  },
  {
    title: "Waiting",
    over: "now",
    about: "that could run now",
    cell: ({ waiting, isEstimate }) => `${isEstimate ? "about " : ""}${count(waiting)}`,
    order: ({ waiting }) => waiting,
  },
  {
    title: "Oldest waits",
    over: "now",
    about: "since it could run",
    cell: ({ oldestWaitingSince: since }) => (since === null ? "–" : <Age at={since} />),
    order: ({ oldestWaitingSince: since }) =>
      since === null ? Number.NEGATIVE_INFINITY : -Date.parse(since),
  },
  {
    title: "Completed/s",
    over: "last 5 min",
    about: "jobs a second over the last five minutes",
    cell: ({ completedPerSecond }) => rate(completedPerSecond),
    order: ({ completedPerSecond }) => completedPerSecond,
  },
  {
    title: "Start p99",
    over: "last hour",
    about: "99 of 100 jobs of the last hour started within",
    cell: ({ lastHour }) => durationOrNone(lastHour.timeToStart.p99),
    order: ({ lastHour }) => lastHour.timeToStart.p99 ?? 0,
  },
  {
    title: "Run p99",
    over: "last hour",
    about: "99 of 100 attempts of the last hour took no longer",
    cell: ({ lastHour }) => durationOrNone(lastHour.runTime.p99),
    order: ({ lastHour }) => lastHour.runTime.p99 ?? 0,
  },
  {
    title: "Retried",
    over: "last hour",
    about: "attempts that failed in the last hour, and that another one follows",
    cell: ({ lastHour }) => count(lastHour.retried),
    order: ({ lastHour }) => lastHour.retried,
  },
  {
    title: "Failed",
    over: "last hour",
    about: "jobs that failed for good in the last hour, kept or not",
    cell: ({ type, lastHour: { failed } }) =>
      failed === 0 ? (
        "0"
      ) : (
        <To to={`/jobs?type=${encodeURIComponent(type)}&state=failed`} className="bad">
          {count(failed)}
        </To>
      ),
    order: ({ lastHour }) => lastHour.failed,
  },
  {
    title: "In doubt",
    over: "last hour",
    about: "jobs that ended in doubt in the last hour, resolved or not",
    cell: ({ lastHour: { inDoubt } }) =>
      inDoubt === 0 ? "0" : <span className="doubt">{count(inDoubt)}</span>,
    order: ({ lastHour }) => lastHour.inDoubt,
  },
];

/** Where something has a budget in bytes. */
const keptColumns: readonly TypeColumn[] = (["completed", "failed"] as const).map((state) => ({
  title: `Kept ${state}`,
  over: "now",
  about: `memory of Redis that its ${state} jobs take, estimated`,
  cell: ({ keptBytes }) => (keptBytes === null ? "–" : bytes(keptBytes[state])),
  order: ({ keptBytes }) => keptBytes?.[state] ?? 0,
}));

const NAME = "Type";

/** What failed first, then what waits for a person. */
function trouble({ lastHour: { failed, inDoubt } }: TypeOverview): number {
  return failed + inDoubt;
}

interface Props {
  readonly queue: string;
  readonly types: readonly TypeOverview[];
}

/** What each job type of a queue does: now, and in the last hour; those in trouble first. A heading sorts. */
export function TypeTable({ queue, types }: Props) {
  const [sortedBy, sortBy] = useState<string | null>(null);
  const hasBudget = types.some(({ keptBytes }) => keptBytes !== null);
  const shown = hasBudget ? [...columns, ...keptColumns] : columns;
  const column = shown.find(({ title }) => title === sortedBy);
  const order = column?.order ?? (sortedBy === null ? trouble : () => 0);
  const sorted = types.toSorted((a, b) => order(b) - order(a) || a.type.localeCompare(b.type));
  if (types.length === 0) return <p className="quiet">The application declares no type of this queue.</p>;
  return (
    <Scroller label={visible(`Types of ${queue}, table`)}>
      <table className="figures queues types">
        <thead>
          <tr>
            <Heading title="Type" isSorted={sortedBy === NAME} onSort={() => sortBy(NAME)} isText />
            {shown.map(({ title, over, about }) => (
              <Heading
                key={title}
                title={title}
                over={over}
                about={about}
                isSorted={title === sortedBy}
                onSort={() => sortBy(title)}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((type) => (
            <tr key={type.type}>
              <th scope="row">
                <To to={`/jobs?type=${encodeURIComponent(type.type)}`}>
                  <Text of={type.type} />
                </To>
              </th>
              {shown.map(({ title, over, cell }) => (
                <Figure key={title} title={`${title}, ${over}`}>
                  {cell(type)}
                </Figure>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}

interface HeadingProps {
  readonly title: string;
  readonly over?: string;
  readonly about?: string;
  readonly isSorted: boolean;
  readonly onSort: () => void;
  readonly isText?: boolean;
}

function Heading({ title, over, about, isSorted, onSort, isText = false }: HeadingProps) {
  const direction = isText ? "ascending" : "descending";
  return (
    <th scope="col" aria-sort={isSorted ? direction : "none"} title={about && `${title}: ${about}`}>
      <button type="button" onClick={onSort}>
        {title}
        {over !== undefined && <span className="over"> {over}</span>}
      </button>
    </th>
  );
}

function durationOrNone(ms: number | null): string {
  return ms === null ? "–" : duration(ms);
}

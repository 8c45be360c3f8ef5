import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";
import { Text } from "../parts/link.tsx";
import { Section } from "../parts/page.tsx";
import { Loaded } from "../parts/states.tsx";
import { DatedInstant } from "../parts/time.tsx";
import type { HistoryMark, SamplePoint } from "../service/answers.ts";
import { addressOf, historyQuery, type Range, rangeOf, ranges, ratesOf } from "./ranges.ts";
import { ThroughputChart } from "./throughput-chart.tsx";

const none: readonly HistoryMark[] = [];

/** Jobs a second, also from when nobody watched, and what was done meanwhile. */
export function Throughput({ live }: { readonly live: readonly SamplePoint[] }) {
  const [params, setParams] = useSearchParams();
  const range = rangeOf(params.get("range"));
  const history = useQuery(historyQuery(range));
  const choose = (chosen: Range) => setParams({ range: addressOf(chosen) }, { replace: true });
  return (
    <Section title="Throughput" aside={<Choice chosen={range} onChoose={choose} />} className="throughput">
      {range.spanMs === 0 ? (
        <ThroughputChart history={live} marks={none} to={null} />
      ) : (
        <Loaded query={history}>
          {(read) => (
            <>
              <ThroughputChart history={ratesOf(read)} marks={read.marks} to={read.to} />
              <Marks marks={read.marks} />
            </>
          )}
        </Loaded>
      )}
    </Section>
  );
}

function Choice({ chosen, onChoose }: { readonly chosen: Range; readonly onChoose: (range: Range) => void }) {
  return (
    <fieldset className="ranges" aria-label="How far back">
      <span aria-hidden="true">jobs a second over</span>
      {ranges.map((range) => (
        <button
          key={range.name}
          type="button"
          aria-pressed={range === chosen}
          onClick={() => onChoose(range)}
        >
          {range.name}
        </button>
      ))}
    </fieldset>
  );
}

const words: Readonly<Record<HistoryMark["kind"], string>> = {
  started: "Workers started",
  paused: "Paused",
  resumed: "Resumed",
  limited: "Limited",
  retried: "Retried",
  cancelled: "Cancelled",
  deleted: "Deleted",
};

/** What the triangles in the chart stand for. By the clock, as the axis below them. */
function Marks({ marks }: { readonly marks: readonly HistoryMark[] }) {
  if (marks.length === 0) return null;
  return (
    <details className="chart-marks">
      <summary>
        {marks.length === 1 ? "1 mark" : `${marks.length} marks`}: starts of workers, pauses, retries of many
      </summary>
      <ul>
        {marks.toReversed().map(({ at, queue, kind, text, by }) => (
          <li key={`${at} ${queue} ${kind}`}>
            <DatedInstant at={at} /> {words[kind]} <Text of={queue} />
            {text !== "" && kind !== "started" && (
              <>
                : <Text of={text} />
              </>
            )}
            {by !== "" && (
              <span className="quiet">
                {" "}
                by <Text of={by} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

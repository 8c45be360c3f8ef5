import { duration } from "../parts/format.ts";
import type { JobDetail } from "../service/answers.ts";
import { useNow } from "../service/clock.ts";
import { type Span, spansOf } from "./spans.ts";

/** Thousandths of the width: shorter ones would not be seen. */
const NARROWEST = 6;
const WIDTH = 1_000;

/** How long each attempt waited and ran, as bars on one scale. */
export function JobSpans({ job }: { readonly job: JobDetail }) {
  const spans = spansOf(job, useNow());
  const start = spans[0]?.from ?? 0;
  const length = Math.max(1, (spans.at(-1)?.to ?? 0) - start);
  return (
    <table className="spans">
      <caption className="spoken">How long each attempt waited and ran</caption>
      <tbody>
        {spans.map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: attempts are only added at the end
          <tr key={index}>
            <th scope="row">{index + 1}</th>
            <td className="span-bars">
              <Bars span={span} at={(instant) => ((instant - start) / length) * WIDTH} />
            </td>
            <td>{inWords(span)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface BarsProps {
  readonly span: Span;
  /** Where an instant is, in thousandths of the width. */
  readonly at: (instant: number) => number;
}

/** Hidden from screen readers; the words are beside it. */
function Bars({ span: { startedAt, from, to, outcome }, at }: BarsProps) {
  const runs = startedAt === undefined ? 0 : Math.max(NARROWEST, at(to) - at(startedAt));
  const x = Math.min(at(startedAt ?? to), WIDTH - runs);
  return (
    <svg viewBox={`0 0 ${WIDTH} 4`} preserveAspectRatio="none" aria-hidden="true">
      <rect className="waits" x={at(from)} width={Math.max(0, x - at(from))} height="4" />
      <rect className={outcome} x={x} width={runs} height="4" />
    </svg>
  );
}

function inWords({ startedAt, from, to, outcome }: Span): string {
  if (startedAt === undefined)
    return outcome === "waiting" ? `waits for ${duration(to - from)}` : `waited ${duration(to - from)}`;
  const ran = `${outcome === "running" ? "runs for" : "ran"} ${duration(to - startedAt)}`;
  return `waited ${duration(startedAt - from)}, ${ran}`;
}

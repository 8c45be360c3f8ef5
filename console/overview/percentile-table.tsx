import { count, duration } from "../parts/format.ts";
import type { Percentiles } from "../service/answers.ts";

interface Props {
  readonly timeToStart: Percentiles;
  readonly runTime: Percentiles;
}

/** How long jobs waited to start, and how long they ran. */
export function PercentileTable({ timeToStart, runTime }: Props) {
  const rows = [
    { name: "Time to start", values: timeToStart },
    { name: "Run time", values: runTime },
  ];
  return (
    <table className="figures times">
      <thead>
        <tr>
          <td />
          <th scope="col" title="Half of the jobs took no longer">
            p50
          </th>
          <th scope="col" title="9 of 10 jobs took no longer">
            p90
          </th>
          <th scope="col" title="99 of 100 jobs took no longer">
            p99
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, values }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{durationOrNone(values.p50)}</td>
            <td>{durationOrNone(values.p90)}</td>
            <td>{durationOrNone(values.p99)}</td>
          </tr>
        ))}
      </tbody>
      <caption>
        {runTime.count === 0
          ? "No job has finished yet."
          : `Over the latest ${count(runTime.count)} completed jobs.`}
      </caption>
    </table>
  );
}

function durationOrNone(ms: number | null): string {
  return ms === null ? "–" : duration(ms);
}

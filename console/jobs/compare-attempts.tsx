import { type ReactNode, useState } from "react";
import { Fold } from "../parts/fold.tsx";
import { counted, duration, instant, timeOfDay, viewersZone } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { Scroller } from "../parts/page.tsx";
import { visible } from "../parts/visible.ts";
import type { JobDetail } from "../service/answers.ts";

type Attempt = JobDetail["attempts"][number];

interface Row {
  readonly title: string;
  /** Equal texts are no difference. */
  readonly text: (attempt: Attempt) => string;
  readonly cell?: (attempt: Attempt) => ReactNode;
  /** Whether it is another one by nature. */
  readonly isOwn?: boolean;
}

const rows: readonly Row[] = [
  { title: "Started", text: ({ startedAt }) => `${instant(startedAt)} ${viewersZone()}`, isOwn: true },
  { title: "Ran for", text: ranFor, isOwn: true },
  { title: "Worker", text: ({ worker }) => worker },
  { title: "Code", text: ({ code }) => code },
  { title: "Message", text: ({ message }) => message },
  {
    title: "Stack",
    text: ({ stack }) => stack ?? "none",
    cell: ({ stack }) => (
      <pre>
        <bdi>{visible(stack ?? "none")}</bdi>
      </pre>
    ),
  },
];

function ranFor({ startedAt, endedAt }: Attempt): string {
  return duration(Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)));
}

/** Two failed attempts side by side: the first and the last, until others are chosen. */
export function CompareAttempts({ job: { attempts } }: { readonly job: JobDetail }) {
  const [chosen, choose] = useState<readonly [number | null, number | null]>([null, null]);
  if (attempts.length < 2) return null;
  const [left, right] = [chosen[0] ?? 0, chosen[1] ?? attempts.length - 1];
  const [one, other] = [attempts[left], attempts[right]];
  if (one === undefined || other === undefined) return null;
  const differing = rows.filter((row) => row.isOwn !== true && row.text(one) !== row.text(other));
  const names = differing.map(({ title }) => title.toLowerCase()).join(", ");
  const line = differing.length === 0 ? "the same failure" : `they differ in ${names}`;
  return (
    <Fold title="Two attempts" line={`of ${counted(attempts.length, "failed one")}; ${line}`}>
      <Scroller label="Two attempts, table">
        <table className="figures compared">
          <thead>
            <tr>
              <th scope="col">Attempt</th>
              <th scope="col">
                <Choice label="One" of={attempts} chosen={left} onChoose={(at) => choose([at, right])} />
              </th>
              <th scope="col">
                <Choice
                  label="The other"
                  of={attempts}
                  chosen={right}
                  onChoose={(at) => choose([left, at])}
                />
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.title} className={differing.includes(row) ? "differs" : ""}>
                <th scope="row">{row.title}</th>
                {[one, other].map((attempt, side) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: there are two
                  <td key={side}>{row.cell?.(attempt) ?? <Text of={row.text(attempt)} />}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Fold>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly of: readonly Attempt[];
  readonly chosen: number;
  readonly onChoose: (index: number) => void;
}

function Choice({ label, of: attempts, chosen, onChoose }: ChoiceProps) {
  return (
    <select aria-label={label} value={chosen} onChange={({ target }) => onChoose(Number(target.value))}>
      {attempts.map(({ attempt, startedAt }, index) => (
        <option key={startedAt} value={index}>
          Attempt {attempt}, {timeOfDay(startedAt)} {viewersZone()}
        </option>
      ))}
    </select>
  );
}

import { timeOfDay, viewersZone } from "../parts/format.ts";
import { Empty } from "../parts/states.tsx";
import { exactly } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { JobDetail } from "../service/answers.ts";

/** As workers write it: when, how grave, and what. */
const LINE = /^(?<at>\d{4}-\d\d-\d\dT[\d:.]+Z) (?<level>trace|debug|info|warn|error|fatal) (?<text>.*)$/s;

interface Line {
  readonly at: string | null;
  readonly level: string;
  readonly text: string;
}

function lineOf(stored: string): Line {
  const { at = null, level = "info", text = stored } = LINE.exec(stored)?.groups ?? {};
  return { at, level, text };
}

/** The attempt that wrote it: the first one that had not ended by then. */
function attemptOf({ at }: Line, { attempts }: JobDetail): number {
  const written = Date.parse(at ?? "");
  const ended = attempts.filter(({ endedAt }) => Date.parse(endedAt) < written).length;
  return ended + 1;
}

/** What its handler logged, by attempt, coloured by how grave it is. */
export function LogLines({ job }: { readonly job: JobDetail }) {
  const lines = job.logs.map(lineOf);
  if (lines.length === 0) return <Empty title="The handler has logged nothing." />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <ol className="log" tabIndex={0} aria-label="Log lines">
      {lines.map((line, index) => {
        const attempt = attemptOf(line, job);
        const before = lines[index - 1];
        const isFirst = before === undefined || attemptOf(before, job) !== attempt;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
          <li key={index} className={line.level}>
            {isFirst && line.at !== null && (
              <p className="log-attempt">
                Attempt {attempt}, times in {viewersZone()}
              </p>
            )}
            {line.at !== null && (
              <time dateTime={line.at} title={exactly(line.at)}>
                {timeOfDay(line.at)}
              </time>
            )}{" "}
            <span className="level">{line.at !== null && line.level}</span> <bdi>{visible(line.text)}</bdi>
          </li>
        );
      })}
    </ol>
  );
}

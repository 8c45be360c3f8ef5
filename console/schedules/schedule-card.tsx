import { datedInstant, viewersZone } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { PauseNote } from "../parts/pause.tsx";
import { Relative } from "../parts/time.tsx";
import type { ScheduleStatus } from "../service/answers.ts";
import { DeleteSchedule } from "./delete-schedule.tsx";
import { PutSchedule } from "./put-schedule.tsx";
import { RunNow } from "./run-now.tsx";
import { ScheduleHand } from "./schedule-hand.tsx";
import { TickStrip } from "./tick-strip.tsx";

const catchUps: Readonly<Record<string, string>> = {
  none: "missed ticks are skipped",
  latest: "the latest missed tick is caught up",
  all: "missed ticks are caught up",
};

const overlaps: Readonly<Record<string, string>> = {
  skip: " · skips ticks while its job runs",
  "queue-one": " · one tick waits while its job runs",
};

/** One schedule: its next ticks, and what became of the past ones. */
export function ScheduleCard({ schedule }: { readonly schedule: ScheduleStatus }) {
  const { name, when, timeZone, jobType, catchUp, overlap, paused, stored, schedulers, next } = schedule;
  return (
    <section className="section schedule" aria-label={name}>
      <div className="section-head">
        <h2>
          <Text of={name} />
        </h2>
        <ScheduleHand name={name} paused={paused} />
        <RunNow name={name} jobType={jobType} />
        {stored !== null && (
          <>
            <PutSchedule name={name} />
            <DeleteSchedule name={name} />
          </>
        )}
      </div>
      <PauseNote paused={paused} />
      <p className="quiet">
        <Text of={when} /> · runs <Text of={jobType} /> · {catchUps[catchUp] ?? catchUp}
        {overlaps[overlap]}
        {stored !== null && ` · put at run time, version ${stored.version}`}
      </p>
      <h3>Past</h3>
      <TickStrip name={name} timeZone={timeZone} />
      <h3>Next</h3>
      {schedulers === 0 && (
        <p className="bad" role="status">
          No scheduler runs. These ticks are not enqueued until one does: <code>holdfast scheduler</code>
        </p>
      )}
      <NextTicks ticks={next} timeZone={timeZone} isServed={schedulers > 0} />
    </section>
  );
}

interface NextProps {
  readonly ticks: readonly string[];
  readonly timeZone: string;
  /** Whether a scheduler will enqueue them. */
  readonly isServed: boolean;
}

function NextTicks({ ticks, timeZone, isServed }: NextProps) {
  if (ticks.length === 0) return <p className="quiet">None within four years.</p>;
  const viewers = viewersZone();
  const isSameZone = viewers === timeZone;
  return (
    <table className="figures next-ticks">
      <thead>
        <tr>
          <th scope="col">In {timeZone}</th>
          {!isSameZone && <th scope="col">Yours</th>}
          {isServed && <th scope="col">From now</th>}
        </tr>
      </thead>
      <tbody>
        {ticks.map((at) => (
          <tr key={at}>
            <th scope="row">{datedInstant(at, timeZone)}</th>
            {!isSameZone && <td>{datedInstant(at)}</td>}
            {isServed && (
              <td>
                <Relative at={at} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

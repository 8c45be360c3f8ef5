import { useState } from "react";
import { datedInstant, rangeText, viewersZone } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { Text } from "../parts/link.tsx";
import { Scroller } from "../parts/page.tsx";
import { PauseNote } from "../parts/pause.tsx";
import { DatedInstant, Relative } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { ScheduleStatus } from "../service/answers.ts";
import { ScheduleHand } from "./schedule-hand.tsx";
import { Explanation, TickStrip } from "./tick-strip.tsx";

const catchUps: Readonly<Record<string, string>> = {
  none: "missed ticks are skipped",
  latest: "the latest missed tick is caught up",
  all: "missed ticks are caught up",
};

const overlaps: Readonly<Record<string, string>> = {
  skip: " · skips ticks while its job runs",
  "queue-one": " · one tick waits while its job runs",
};

/** One row for each schedule: what became of its ticks, and the next one. */
export function ScheduleTable({ schedules }: { readonly schedules: readonly ScheduleStatus[] }) {
  return (
    <Scroller label="Schedules, table" isSection>
      <table className="figures schedules">
        <thead>
          <tr>
            <th scope="col">Schedule</th>
            <th scope="col">Past ticks, the latest last</th>
            <th scope="col">Next</th>
            <th scope="col">
              <span className="spoken">Acts</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {schedules.map((schedule) => (
            <ScheduleRow key={schedule.name} schedule={schedule} />
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}

function ScheduleRow({ schedule }: { readonly schedule: ScheduleStatus }) {
  const [isOpen, setOpen] = useState(false);
  const [chosen, choose] = useState<string | null>(null);
  const { name, when, timeZone, jobType, paused, schedulers, next, skips, past } = schedule;
  return (
    <>
      <tr className="schedule">
        <th scope="row">
          <button
            type="button"
            className="opener"
            aria-expanded={isOpen}
            aria-label={visible(`More of ${name}`)}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon of="open" />
            <Text of={name} />
          </button>
          <span className="pause-note">
            <Text of={when} /> · runs <Text of={jobType} />
          </span>
          <PauseNote paused={paused} />
        </th>
        <td className="strip">
          <TickStrip name={name} timeZone={timeZone} ticks={past} chosen={chosen} onChoose={choose} />
          {chosen !== null && (
            <div role="status" className="explanation">
              <Explanation key={chosen} name={name} at={chosen} timeZone={timeZone} />
            </div>
          )}
        </td>
        <td className="next">
          <Next at={next[0]} timeZone={timeZone} isServed={schedulers > 0} />
          {skips[0] !== undefined && (
            <span className="pause-note">
              <span className="tag">skips</span> <DatedInstant at={skips[0].at} timeZone={timeZone} />:{" "}
              <Text of={skips[0].reason} /> (
              <Text of={skips[0].by} />)
            </span>
          )}
        </td>
        <td className="hand">
          <ScheduleHand schedule={schedule} />
        </td>
      </tr>
      {isOpen && (
        <tr className="more-row">
          <td colSpan={4}>
            <More schedule={schedule} />
          </td>
        </tr>
      )}
    </>
  );
}

interface NextProps {
  readonly at: string | undefined;
  readonly timeZone: string;
  /** Whether a scheduler will enqueue it. */
  readonly isServed: boolean;
}

function Next({ at, timeZone, isServed }: NextProps) {
  if (at === undefined) return <span className="quiet">none within four years</span>;
  if (!isServed) return <span className="tag bad">no scheduler</span>;
  return (
    <>
      <Relative at={at} />
      <span className="pause-note">
        <DatedInstant at={at} timeZone={timeZone} />
      </span>
    </>
  );
}

function More({ schedule }: { readonly schedule: ScheduleStatus }) {
  const { catchUp, overlap, stored, next, past, timeZone, schedulers } = schedule;
  return (
    <>
      <p className="quiet">
        {catchUps[catchUp] ?? catchUp}
        {overlaps[overlap]}
        {stored !== null && ` · put at run time, version ${stored.version}`}
      </p>
      {past.length > 0 && (
        <p className="quiet">
          Past ticks from {rangeText(past.at(-1)?.at ?? "", past[0]?.at ?? "", timeZone)}, {timeZone}
        </p>
      )}
      {schedulers === 0 && (
        <p className="bad" role="status">
          No scheduler runs. These ticks are not enqueued until one does: <code>holdfast scheduler</code>
        </p>
      )}
      <NextTicks ticks={next} timeZone={timeZone} />
    </>
  );
}

function NextTicks({ ticks, timeZone }: { readonly ticks: readonly string[]; readonly timeZone: string }) {
  const viewers = viewersZone();
  return (
    <table className="figures next-ticks">
      <thead>
        <tr>
          <th scope="col">Next, in {timeZone}</th>
          {viewers !== timeZone && <th scope="col">in {viewers}, yours</th>}
        </tr>
      </thead>
      <tbody>
        {ticks.map((at) => (
          <tr key={at}>
            <th scope="row">{datedInstant(at, timeZone)}</th>
            {viewers !== timeZone && <td>{datedInstant(at)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

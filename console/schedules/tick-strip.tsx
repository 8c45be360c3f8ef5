import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ListBox, ListBoxItem } from "react-aria-components";
import { datedInstant, rangeText } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { Glyph, Mark, type MarkName, toneOf, wordOf } from "../parts/mark.tsx";
import { Empty, Loaded, Loading, ProblemNote } from "../parts/states.tsx";
import type { PastTick } from "../service/answers.ts";
import { explanationQuery, TICKS_SHOWN, ticksQuery } from "./queries.ts";

interface Props {
  readonly name: string;
  readonly timeZone: string;
}

/** The latest ticks, oldest first, and an explanation of the chosen one. */
export function TickStrip({ name, timeZone }: Props) {
  const ticks = useQuery(ticksQuery(name));
  const [chosen, setChosen] = useState<string | null>(null);
  if (ticks.isPending) return <Placeholder />;
  return (
    <Loaded query={ticks}>
      {(found) =>
        found.length === 0 ? (
          <Empty title="No tick has been due yet." />
        ) : (
          <>
            <ListBox
              aria-label={`Past ticks of ${name}`}
              className="ticks"
              layout="grid"
              orientation="horizontal"
              selectionMode="single"
              selectedKeys={chosen === null ? [] : [chosen]}
              onSelectionChange={(keys) =>
                setChosen(keys === "all" ? null : (([...keys][0] as string) ?? null))
              }
            >
              {found.map((tick) => (
                <TickMark key={tick.at} tick={tick} timeZone={timeZone} />
              ))}
            </ListBox>
            <Key ticks={found} timeZone={timeZone} />
            <div role="status" className="explanation">
              {chosen === null ? (
                <p className="quiet">Choose a tick to see what became of it.</p>
              ) : (
                <Explanation key={chosen} name={name} at={chosen} timeZone={timeZone} />
              )}
            </div>
          </>
        )
      }
    </Loaded>
  );
}

/** As large as the ticks, so that nothing below moves when they arrive. */
function Placeholder() {
  return (
    <>
      <div className="ticks" aria-hidden="true">
        {Array.from({ length: TICKS_SHOWN }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
          <span key={index} className="tick quiet" />
        ))}
      </div>
      <p className="tick-key" aria-hidden="true">
        <span>&nbsp;</span>
        <span>&nbsp;</span>
      </p>
      <div className="explanation">
        <Loading />
      </div>
    </>
  );
}

function markOf({ jobId, state, isBeforeFirst, isMissed }: PastTick): MarkName {
  if (isBeforeFirst) return "unknown";
  if (isMissed) return "missed";
  return jobId === null ? "none" : (state ?? "done");
}

const GONE = "ran; its job was removed";

function meaningOf(tick: PastTick): string {
  if (tick.isBeforeFirst) return "before the first known job";
  if (tick.overlap !== null) return "skipped, or waiting: an earlier job had not ended";
  return tick.jobId !== null && tick.state === null ? GONE : wordOf(markOf(tick));
}

function TickMark({ tick, timeZone }: { readonly tick: PastTick; readonly timeZone: string }) {
  const mark = markOf(tick);
  const text = `${datedInstant(tick.at, timeZone)}: ${meaningOf(tick)}`;
  return (
    <ListBoxItem id={tick.at} textValue={text} aria-label={text} className={`tick ${toneOf(mark)}`}>
      <Glyph of={mark} />
    </ListBoxItem>
  );
}

/** The legend of the strip. */
function Key({ ticks, timeZone }: { readonly ticks: readonly PastTick[]; readonly timeZone: string }) {
  const present = new Map(ticks.map((tick) => [meaningOf(tick), markOf(tick)]));
  return (
    <p className="tick-key">
      <span className="quiet">{rangeText(ticks[0]?.at ?? "", ticks.at(-1)?.at ?? "", timeZone)}</span>
      {[...present].map(([meaning, mark]) => (
        <Mark key={meaning} of={mark} text={meaning} />
      ))}
    </p>
  );
}

function Explanation({ name, at, timeZone }: Props & { readonly at: string }) {
  const { data, error } = useQuery(explanationQuery(name, at));
  if (error !== null) return <ProblemNote thrown={error} />;
  if (data === undefined) return <Loading />;
  return (
    <p>
      <b>{datedInstant(at, timeZone)}</b> <Text of={data.text} />{" "}
      {"jobId" in data && <JobLink id={data.jobId}>Its job</JobLink>}
    </p>
  );
}

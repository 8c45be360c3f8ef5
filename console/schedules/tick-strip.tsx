import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, ListBox, ListBoxItem } from "react-aria-components";
import { count, datedInstant } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { Glyph, Mark, type MarkName, toneOf, wordOf } from "../parts/mark.tsx";
import { Loading, ProblemNote } from "../parts/states.tsx";
import { DatedInstant } from "../parts/time.tsx";
import { NARROW, useMedia } from "../parts/use-media.ts";
import type { PastTick } from "../service/answers.ts";
import { explanationQuery } from "./queries.ts";

interface StripProps {
  readonly name: string;
  readonly timeZone: string;
  /** The latest first. */
  readonly ticks: readonly PastTick[];
  readonly chosen: string | null;
  readonly onChoose: (at: string | null) => void;
}

/** As many as fit beside each other: a finger needs 44 px. */
const NARROW_TICKS = 7;

/** The latest ticks, oldest first. */
export function TickStrip({ name, timeZone, ticks, chosen, onChoose }: StripProps) {
  const isNarrow = useMedia(NARROW);
  const [isWhole, showWhole] = useState(false);
  if (ticks.length === 0) return <span className="quiet">no tick has been due yet</span>;
  const telling = ticks.filter(isTelling);
  const shown = isNarrow && !isWhole ? telling.slice(0, NARROW_TICKS) : telling;
  const hidden = telling.length - shown.length;
  const strip = (
    <ListBox
      aria-label={`Past ticks of ${name}`}
      className="ticks"
      layout="grid"
      orientation="horizontal"
      selectionMode="single"
      selectedKeys={chosen === null ? [] : [chosen]}
      onSelectionChange={(keys) => onChoose(keys === "all" ? null : (([...keys][0] as string) ?? null))}
    >
      {shown.toReversed().map((tick) => (
        <TickMark key={tick.at} tick={tick} timeZone={timeZone} />
      ))}
    </ListBox>
  );
  if (hidden === 0) return strip;
  return (
    <>
      <Button className="button small" onPress={() => showWhole(true)}>
        {count(hidden)} earlier
      </Button>
      {strip}
    </>
  );
}

/** Of those before the first known job, the latest stands for all. */
function isTelling({ isBeforeFirst }: PastTick, index: number, ticks: readonly PastTick[]): boolean {
  return !isBeforeFirst || ticks[index - 1]?.isBeforeFirst !== true;
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
  const text = `${datedInstant(tick.at, timeZone)} ${timeZone}: ${meaningOf(tick)}`;
  return (
    <ListBoxItem id={tick.at} textValue={text} aria-label={text} className={`tick ${toneOf(mark)}`}>
      <Glyph of={mark} />
    </ListBoxItem>
  );
}

/** What the marks of all strips mean. */
export function TickKey({ ticks }: { readonly ticks: readonly PastTick[] }) {
  const present = new Map(ticks.map((tick) => [meaningOf(tick), markOf(tick)]));
  return (
    <p className="tick-key">
      {[...present].map(([meaning, mark]) => (
        <Mark key={meaning} of={mark} text={meaning} />
      ))}
    </p>
  );
}
interface ExplanationProps extends Pick<StripProps, "name" | "timeZone"> {
  readonly at: string;
}

/** What became of the chosen tick. */
export function Explanation({ name, at, timeZone }: ExplanationProps) {
  const { data, error } = useQuery(explanationQuery(name, at));
  if (error !== null) return <ProblemNote thrown={error} />;
  if (data === undefined) return <Loading />;
  return (
    <p>
      <b>
        <DatedInstant at={at} timeZone={timeZone} />
      </b>{" "}
      <Text of={data.text} /> {"jobId" in data && <JobLink id={data.jobId}>Its job</JobLink>}
    </p>
  );
}

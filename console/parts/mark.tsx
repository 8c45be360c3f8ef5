import type { JobState, ListedJob } from "../service/answers.ts";

export type MarkName =
  | JobState
  | "cancelled"
  | "in-doubt"
  | "reserved"
  | "done"
  | "still-runs"
  | "none"
  | "missed"
  | "person"
  | "holds"
  | "broken"
  | "unknown";

interface Look {
  readonly tone: "quiet" | "accent" | "bad" | "doubt";
  readonly text: string;
  /** SVG path on a square of 12. Shapes differ, so that colour is never the only difference. */
  readonly shape: string;
  readonly isFilled?: boolean;
}

const circle = "M6 1.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9z";
const tick = "M2 6.5l2.7 2.7L10 3.2";
const cross = "M2.5 2.5l7 7M9.5 2.5l-7 7";
const question = "M3.4 4.1a2.6 2.6 0 1 1 4.1 2.1C6.5 6.9 6 7.2 6 8M6 10.4v.1";

const person = "M6 1.25a2.1 2.1 0 1 1 0 4.2a2.1 2.1 0 0 1 0-4.2zM2 10.9c0-2.5 1.7-3.6 4-3.6s4 1.1 4 3.6";

const looks: Readonly<Record<MarkName, Look>> = {
  waiting: { tone: "quiet", text: "waiting", shape: circle },
  "waiting-children": { tone: "quiet", text: "waiting for children", shape: `${circle}M4 6h4` },
  prioritized: { tone: "quiet", text: "waiting (prioritized)", shape: "M6 10.5V2M2.5 5.5L6 2l3.5 3.5" },
  delayed: { tone: "quiet", text: "delayed", shape: `${circle}M6 3.5V6l1.8 1.2` },
  active: { tone: "accent", text: "active", shape: circle, isFilled: true },
  completed: { tone: "accent", text: "completed", shape: tick },
  failed: { tone: "bad", text: "failed", shape: cross },
  cancelled: { tone: "quiet", text: "cancelled", shape: `${circle}M3 9l6-6` },
  "in-doubt": { tone: "doubt", text: "in doubt", shape: question },
  reserved: { tone: "accent", text: "running", shape: circle, isFilled: true },
  "still-runs": { tone: "doubt", text: "still runs", shape: circle, isFilled: true },
  done: { tone: "accent", text: "done", shape: tick },
  none: { tone: "quiet", text: "did not run", shape: "M2.5 6h7" },
  missed: { tone: "bad", text: "missed", shape: `${circle}M6 3.5v3M6 8.4v.1` },
  person: { tone: "accent", text: "done by hand", shape: person },
  holds: { tone: "accent", text: "holds", shape: tick },
  unknown: { tone: "quiet", text: "not known", shape: "M6 6v.1" },
  broken: { tone: "bad", text: "does not hold", shape: cross },
};

/** A job that somebody cancelled has not failed, though BullMQ has it among those that have. */
export function isCancelled({ state, error }: Pick<ListedJob, "state" | "error">): boolean {
  return state === "failed" && error?.code === CANCELLED;
}

/** The code of jobs that somebody cancelled. */
export const CANCELLED = "CANCELLED";

/** Nor has one that waits until somebody has resolved its doubt. */
function markOf(job: Pick<ListedJob, "state" | "error">): MarkName {
  if (isCancelled(job)) return "cancelled";
  return job.state === "failed" && job.error?.code === IN_DOUBT ? "in-doubt" : job.state;
}

/** The code of jobs whose effect is in doubt: resolving the doubt helps them. */
export const IN_DOUBT = "EFFECT_IN_DOUBT";

/** A job's state, as a shape and a word, and whether its handler goes on although it was told to stop. */
export function StateMark({ job }: { readonly job: Pick<ListedJob, "state" | "error" | "stillRuns"> }) {
  return (
    <>
      <Mark of={markOf(job)} />
      {job.stillRuns !== undefined && (
        <>
          {" "}
          <Mark of="still-runs" />
        </>
      )}
    </>
  );
}

/** A state as a shape and a word. */
export function Mark({ of, text }: { readonly of: MarkName; readonly text?: string }) {
  return (
    <span className={`mark ${looks[of].tone}`}>
      <Glyph of={of} />
      {text ?? looks[of].text}
    </span>
  );
}

/** The shape alone. Its meaning must be beside it. */
export function Glyph({ of }: { readonly of: MarkName }) {
  const { shape, isFilled = false } = looks[of];
  return (
    <svg className={isFilled ? "glyph filled" : "glyph"} viewBox="0 0 12 12" aria-hidden="true">
      <path d={shape} />
    </svg>
  );
}

export function toneOf(name: MarkName): string {
  return looks[name].tone;
}

export function wordOf(name: MarkName): string {
  return looks[name].text;
}

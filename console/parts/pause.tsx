import { type ReactNode, useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmWindow } from "./dialog.tsx";
import { Moment } from "./filter-fields.tsx";
import { viewersZone } from "./format.ts";
import { Text } from "./link.tsx";
import { useNotice } from "./notice.tsx";
import { Reason } from "./reason.tsx";
import { Age, Instant } from "./time.tsx";
import { useSeen } from "./use-seen.ts";

interface Paused {
  readonly paused: Pause | null;
}

export type PauseAct = "pause" | "resume";

interface SeenPause {
  readonly pausedSince: string | null;
}

interface PauseProps {
  readonly name: string;
  readonly pause: (
    name: string,
    why: { readonly reason: string; readonly until?: string; readonly expect: SeenPause },
  ) => Promise<Paused>;
  /** Whether a pause can end by itself. @default false */
  readonly mayEnd?: boolean;
  /** Whether a resume can take its time. @default false */
  readonly mayRamp?: boolean;
  readonly resume: (
    name: string,
    as: { readonly over?: string; readonly expect?: SeenPause },
  ) => Promise<Paused>;
  readonly isPaused: boolean;
  /** Since when, as the page shows it; null where it is not paused, or nobody knows. */
  readonly since: string | null;
  /** What happens when it is paused, and when it is resumed. */
  readonly ifPaused: ReactNode;
  readonly ifResumed: ReactNode;
  /** @param paused what the service answered */
  readonly onChanged?: (paused: Pause | null) => void | Promise<void>;
}

interface PauseWindowProps extends PauseProps {
  /** What the window asks, whatever others do meanwhile; null while it is closed. */
  readonly asked: PauseAct | null;
  readonly onClose: () => void;
}

/** Pauses something for a reason, or resumes it. */
export function PauseWindow({ asked, onClose, ...props }: PauseWindowProps) {
  const { name, pause, resume, isPaused, since, ifPaused, ifResumed, onChanged, mayEnd, mayRamp } = props;
  const notice = useNotice();
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [over, setOver] = useState("");
  const seen = useSeen(since, asked !== null);
  const isOver = asked !== null && asked !== (isPaused ? "resume" : "pause");
  const words = asked === "resume" ? "Resume" : "Pause";

  async function act() {
    const why = { reason: reason.trim(), ...(until !== "" && { until }), expect: { pausedSince: null } };
    const ramp = over.trim() === "" ? {} : { over: over.trim() };
    const as = { ...ramp, ...(seen !== null && { expect: { pausedSince: seen } }) };
    const { paused } = await (asked === "pause" ? pause(name, why) : resume(name, as));
    setReason("");
    setUntil("");
    setOver("");
    notice(`${name} is ${asked}d.`);
    await onChanged?.(paused);
  }

  return (
    <ConfirmWindow
      title={`${words} ${name}?`}
      action={words}
      isOpen={asked !== null}
      onClose={onClose}
      over={
        isOver && (
          <>
            Somebody has {asked}d <Text of={name} /> meanwhile.
          </>
        )
      }
      onConfirm={act}
    >
      <p>{asked === "resume" ? ifResumed : ifPaused}</p>
      {asked === "pause" && <Reason text={reason} onChange={setReason} />}
      {asked === "resume" && mayRamp === true && (
        <TextField validationBehavior="aria" className="field" value={over} onChange={setOver} maxLength={10}>
          <Label>Over how long, such as 10m (optional)</Label>
          <Input />
        </TextField>
      )}
      {asked === "pause" && mayEnd === true && (
        <Moment label={`Until, in ${viewersZone()} (optional)`} value={until} onChange={setUntil} />
      )}
    </ConfirmWindow>
  );
}

export interface Pause {
  /** "" if another tool paused it. */
  readonly reason: string;
  readonly by: string;
  readonly since: string | null;
  /** When it ends by itself. */
  readonly until?: string | null;
}

/** Who paused it, and why. */
export function PauseNote({ paused }: { readonly paused: Pause | null }) {
  if (paused === null) return null;
  const { reason, by, since, until = null } = paused;
  return (
    <span className="pause-note">
      <span className="tag">paused</span>{" "}
      {reason === "" ? (
        "by another tool"
      ) : (
        <>
          <Text of={reason} /> (<Text of={by} />
          {since !== null && (
            <>
              , <Age at={since} />
            </>
          )}
          {until !== null && (
            <>
              , until <Instant at={until} />
            </>
          )}
          )
        </>
      )}
    </span>
  );
}

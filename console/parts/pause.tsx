import { type ReactNode, useState } from "react";
import { useMay } from "../service/session.ts";
import { ConfirmButton, Over, useAsked } from "./dialog.tsx";
import { Text } from "./link.tsx";
import { useNotice } from "./notice.tsx";
import { Reason } from "./reason.tsx";
import { Age } from "./time.tsx";

interface Paused {
  readonly paused: Pause | null;
}

interface PauseButtonProps {
  readonly name: string;
  readonly pause: (name: string, why: { readonly reason: string }) => Promise<Paused>;
  readonly resume: (name: string) => Promise<Paused>;
  readonly isPaused: boolean;
  /** What happens when it is paused, and when it is resumed. */
  readonly ifPaused: ReactNode;
  readonly ifResumed: ReactNode;
  /** @param paused what the service answered */
  readonly onChanged?: (paused: Pause | null) => void | Promise<void>;
}

/** Pauses something for a reason, or resumes it. */
export function PauseButton(props: PauseButtonProps) {
  const { name, pause, resume, isPaused, ifPaused, ifResumed, onChanged } = props;
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [reason, setReason] = useState("");
  const { what, isOver, onOpenChange } = useAsked(isPaused ? "resume" : "pause");
  if (!mayOperate) return null;

  async function act() {
    const { paused } = await (what === "pause" ? pause(name, { reason: reason.trim() }) : resume(name));
    setReason("");
    notice(`${name} is ${what}d.`);
    await onChanged?.(paused);
  }

  return (
    <ConfirmButton
      label={what === "pause" ? "Pause…" : "Resume…"}
      title={`${what === "pause" ? "Pause" : "Resume"} ${name}?`}
      action={what === "pause" ? "Pause" : "Resume"}
      isReady={!isOver}
      onOpenChange={onOpenChange}
      onConfirm={act}
    >
      {isOver && (
        <Over>
          Somebody has {what}d <Text of={name} /> meanwhile.
        </Over>
      )}
      <p>{what === "pause" ? ifPaused : ifResumed}</p>
      {what === "pause" && <Reason text={reason} onChange={setReason} />}
    </ConfirmButton>
  );
}

export interface Pause {
  /** "" if another tool paused it. */
  readonly reason: string;
  readonly by: string;
  readonly since: string | null;
}

/** Who paused it, and why. */
export function PauseNote({ paused }: { readonly paused: Pause | null }) {
  if (paused === null) return null;
  const { reason, by, since } = paused;
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
          )
        </>
      )}
    </span>
  );
}

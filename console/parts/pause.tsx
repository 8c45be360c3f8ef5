import { type ReactNode, useState } from "react";
import { changedMeanwhile } from "../service/problem.ts";
import { ConfirmWindow, Over } from "./dialog.tsx";
import { Text } from "./link.tsx";
import { useNotice } from "./notice.tsx";
import { Reason } from "./reason.tsx";
import { Age } from "./time.tsx";

interface Paused {
  readonly paused: Pause | null;
}

export type PauseAct = "pause" | "resume";

interface PauseProps {
  readonly name: string;
  readonly pause: (name: string, why: { readonly reason: string }) => Promise<Paused>;
  readonly resume: (name: string) => Promise<Paused>;
  readonly isPaused: boolean;
  /** Reads that anew: what the page shows can be seconds old. */
  readonly readPaused: () => Promise<boolean>;
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
  const { name, pause, resume, isPaused, readPaused, ifPaused, ifResumed, onChanged } = props;
  const notice = useNotice();
  const [reason, setReason] = useState("");
  const isOver = asked !== null && asked !== (isPaused ? "resume" : "pause");
  const words = asked === "resume" ? "Resume" : "Pause";

  async function act() {
    if ((await readPaused()) !== (asked === "resume"))
      throw changedMeanwhile(`${name} is ${asked}d already.`);
    const { paused } = await (asked === "pause" ? pause(name, { reason: reason.trim() }) : resume(name));
    setReason("");
    notice(`${name} is ${asked}d.`);
    await onChanged?.(paused);
  }

  return (
    <ConfirmWindow
      title={`${words} ${name}?`}
      action={words}
      isOpen={asked !== null}
      onClose={onClose}
      isReady={!isOver}
      onConfirm={act}
    >
      {isOver && (
        <Over>
          Somebody has {asked}d <Text of={name} /> meanwhile.
        </Over>
      )}
      <p>{asked === "resume" ? ifResumed : ifPaused}</p>
      {asked === "pause" && <Reason text={reason} onChange={setReason} />}
    </ConfirmWindow>
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

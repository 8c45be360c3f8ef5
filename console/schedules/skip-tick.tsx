import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { datedInstant } from "../parts/format.ts";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import { useSeen } from "../parts/use-seen.ts";
import type { ScheduleStatus } from "../service/answers.ts";
import { service } from "../service/call.ts";

interface Props {
  readonly schedule: ScheduleStatus;
  /** The tick that the window asks about; null while it is closed. */
  readonly at: string | null;
  readonly onClose: () => void;
}

/** Skips one tick that is not due yet, or lets one run that was to be skipped. */
export function SkipTick({ schedule: { name, timeZone, skips }, at, onClose }: Props) {
  const [reason, setReason] = useState("");
  const client = useQueryClient();
  const notice = useNotice();
  // What the window was opened with, whatever others do meanwhile.
  const known = useSeen(
    skips.find((skip) => skip.at === at),
    at !== null,
  );
  const tick = at === null ? "" : `${datedInstant(at, timeZone)} ${timeZone}`;

  async function act() {
    if (at === null) return;
    const why = known === undefined ? reason.trim() : known.reason;
    const isSkipped = known !== undefined;
    await service.skipTick(name, { at, reason: why, undo: isSkipped, expect: { isSkipped } });
    setReason("");
    notice(known === undefined ? `${name} skips ${tick}.` : `${name} runs at ${tick}.`);
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  return (
    <ConfirmWindow
      title={known === undefined ? `Skip one tick of ${name}?` : `Let ${name} run after all?`}
      action={known === undefined ? "Skip it" : "Let it run"}
      isOpen={at !== null}
      onClose={onClose}
      isReady={known !== undefined || reason.trim() !== ""}
      onConfirm={act}
    >
      <p>
        The tick of {tick}
        {known === undefined ? " is skipped, and not caught up. Others run." : " is no longer skipped."}
      </p>
      {known === undefined && <Reason text={reason} onChange={setReason} />}
    </ConfirmWindow>
  );
}

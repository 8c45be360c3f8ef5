import { useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Age } from "../parts/time.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { send } from "../service/call.ts";
import { useMay } from "../service/session.ts";

const REASON_MAX = 500;

/** Pauses a queue, or resumes it. The overview shows the change with its next reading. */
export function QueueHand({ name, isPaused }: Pick<QueueOverview, "name" | "isPaused">) {
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [reason, setReason] = useState("");
  const path = `queues/${encodeURIComponent(name)}`;
  if (!mayOperate) return null;

  async function resume() {
    await send(`${path}/resume`);
    notice(`${name} is resumed.`);
  }

  async function pause() {
    await send(`${path}/pause`, { reason: reason.trim() });
    setReason("");
    notice(`${name} is paused.`);
  }

  if (isPaused)
    return (
      <ConfirmButton label="Resume…" title={`Resume ${name}?`} action="Resume" onConfirm={resume}>
        <p>What waits starts at once, as fast as workers and limits allow.</p>
      </ConfirmButton>
    );
  return (
    <ConfirmButton label="Pause…" title={`Pause ${name}?`} action="Pause" onConfirm={pause}>
      <p>No further job of it starts, on any worker. Running jobs go on, and jobs are still accepted.</p>
      <TextField
        validationBehavior="aria"
        className="field"
        value={reason}
        onChange={setReason}
        isRequired
        maxLength={REASON_MAX}
      >
        <Label>Reason</Label>
        <Input />
      </TextField>
    </ConfirmButton>
  );
}

/** Who paused a queue, and why. */
export function PauseNote({ paused }: Pick<QueueOverview, "paused">) {
  if (paused === null) return null;
  return (
    <span className="pause-note">
      <span className="tag">paused</span>{" "}
      {paused.reason === "" ? (
        "by another tool"
      ) : (
        <>
          <Text of={paused.reason} /> (<Text of={paused.by} />
          {paused.since !== null && (
            <>
              , <Age at={paused.since} />
            </>
          )}
          )
        </>
      )}
    </span>
  );
}

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Age } from "../parts/time.tsx";
import type { ScheduleStatus } from "../service/answers.ts";
import { send } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { pathOf } from "./queries.ts";

const REASON_MAX = 500;

/** Pauses a schedule, or resumes it. */
export function ScheduleHand({ name, paused }: Pick<ScheduleStatus, "name" | "paused">) {
  const client = useQueryClient();
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [reason, setReason] = useState("");
  if (!mayOperate) return null;

  async function act(what: "pause" | "resume", body?: { readonly reason: string }) {
    await send(`${pathOf(name)}/${what}`, body);
    setReason("");
    notice(`${name} is ${what}d.`);
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  if (paused !== null)
    return (
      <ConfirmButton
        label="Resume…"
        title={`Resume ${name}?`}
        action="Resume"
        onConfirm={() => act("resume")}
      >
        <p>It ticks again. Ticks during the pause are not caught up.</p>
      </ConfirmButton>
    );
  return (
    <ConfirmButton
      label="Pause…"
      title={`Pause ${name}?`}
      action="Pause"
      onConfirm={() => act("pause", { reason: reason.trim() })}
    >
      <p>Its ticks are skipped, and not caught up later. Jobs of earlier ticks go on.</p>
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

/** Who paused a schedule, and why. */
export function SchedulePauseNote({ paused }: Pick<ScheduleStatus, "paused">) {
  if (paused === null) return null;
  return (
    <p className="pause-note">
      <span className="tag">paused</span> <Text of={paused.reason} /> (<Text of={paused.by} />,{" "}
      <Age at={paused.since} />)
    </p>
  );
}

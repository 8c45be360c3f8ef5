import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmButton } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import type { JobDetail } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";

/** What an operator may do to a job in its state. */
export function JobOperations({ job: { id, state, effects } }: { readonly job: JobDetail }) {
  const client = useQueryClient();
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [reason, setReason] = useState("");

  async function operate(verb: "retry" | "cancel") {
    const why = reason.trim();
    const outcome = await service[verb](id, why === "" ? undefined : { reason: why });
    setReason("");
    notice(outcomes[outcome]);
    await Promise.all(
      ["job", "jobs", "failures"].map((name) => client.invalidateQueries({ queryKey: [name] })),
    );
  }

  if (!mayOperate) return null;
  // Resolving the doubt is what helps; the job then continues.
  if (effects.some((effect) => effect.state === "in-doubt")) return null;
  if (state === "failed") {
    return (
      <ConfirmButton
        label="Retry"
        title="Retry this job?"
        action="Retry this job"
        onConfirm={() => operate("retry")}
      >
        <p>It gets all its attempts again, and keeps its id and key. Effects that are done stay done.</p>
        <Reason text={reason} onChange={setReason} isOptional />
      </ConfirmButton>
    );
  }
  if (state === "completed") return null;
  return (
    <ConfirmButton
      label="Cancel"
      title="Cancel this job?"
      action="Cancel this job"
      isDangerous
      onConfirm={() => operate("cancel")}
    >
      <p>
        {state === "active"
          ? "It is running: its signal is aborted, then it fails. A running effect may then be in doubt."
          : "It is not running: it fails at once. You can retry it later."}
      </p>
      <Reason text={reason} onChange={setReason} isOptional />
    </ConfirmButton>
  );
}

const outcomes = {
  retried: "The job waits in its queue again.",
  cancelled: "The job is cancelled.",
  cancelling: "The job is being cancelled.",
};

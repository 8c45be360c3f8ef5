import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { JobLink, Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { service } from "../service/call.ts";
import { newKey } from "../service/new-key.ts";

interface Props {
  readonly name: string;
  readonly jobType: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Submits a schedule's job out of turn. */
export function RunNow({ name, jobType, isOpen, onClose }: Props) {
  const client = useQueryClient();
  const notice = useNotice();
  // The key stays until a submission succeeds, so that a second press after a lost answer makes no second job.
  const [key, setKey] = useState(newKey);

  async function run() {
    const { id } = await service.runSchedule(name, { idempotencyKey: key });
    setKey(newKey());
    notice(
      <>
        Submitted. <JobLink id={id}>See the job</JobLink>
      </>,
    );
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  return (
    <ConfirmWindow
      title={`Run ${name} now?`}
      action="Run now"
      isOpen={isOpen}
      onClose={onClose}
      onConfirm={run}
    >
      <p>
        This submits its job (<Text of={jobType} />) now. Its ticks stay as they are.
      </p>
    </ConfirmWindow>
  );
}

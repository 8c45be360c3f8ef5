import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmButton } from "../parts/dialog.tsx";
import { JobLink, Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { service } from "../service/call.ts";
import { newKey } from "../service/new-key.ts";
import { useMay } from "../service/session.ts";

interface Props {
  readonly name: string;
  readonly jobType: string;
}

/** Submits a schedule's job out of turn. */
export function RunNow({ name, jobType }: Props) {
  const client = useQueryClient();
  const notice = useNotice();
  // The key stays until a submission succeeds, so that a second press after a lost answer makes no second job.
  const [key, setKey] = useState(newKey);
  const mayRun = useMay("operate");

  async function run() {
    const { id } = await service.runSchedule(name, { idempotencyKey: key });
    setKey(newKey());
    notice(
      <>
        Submitted. <JobLink id={id}>See the job</JobLink>
      </>,
    );
    await client.invalidateQueries({ queryKey: ["ticks", name] });
  }

  if (!mayRun) return null;
  return (
    <ConfirmButton label="Run now…" title={`Run ${name} now?`} action="Run now" onConfirm={run}>
      <p>
        This submits its job (<Text of={jobType} />) now. Its ticks stay as they are.
      </p>
    </ConfirmButton>
  );
}

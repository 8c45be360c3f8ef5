import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmButton } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { type Pause, PauseButton } from "../parts/pause.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { type Limits, limitsQuery } from "./queries.ts";

interface Props {
  readonly queue: QueueOverview;
  readonly onPauseChange: (paused: Pause | null) => void;
}

/** Pauses a queue or resumes it, and limits it. */
export function QueueHand({ queue: { name, isPaused }, onPauseChange }: Props) {
  return (
    <span className="queue-hand">
      <PauseButton
        name={name}
        pause={service.pauseQueue}
        resume={service.resumeQueue}
        isPaused={isPaused}
        ifPaused="No further job of it starts, on any worker. Running jobs go on, and jobs are still accepted."
        ifResumed="What waits starts at once, as fast as workers and limits allow."
        onChanged={onPauseChange}
      />
      <LimitButton name={name} />
    </span>
  );
}

type LimitsRequest = Parameters<typeof service.limitQueue>[1];

const NUMBER = /^[1-9]\d{0,6}$/;

function LimitButton({ name }: { readonly name: string }) {
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [changed, change] = useState<Partial<Limits>>({});
  const [isOpen, setOpen] = useState(false);
  const inForce = useQuery({ ...limitsQuery(name), enabled: isOpen });
  if (!mayOperate) return null;
  const limits = { ...(inForce.data ?? { concurrency: "", rate: "" }), ...changed };

  async function limit() {
    const wanted = {
      // What is no number goes to the service as it is, which says what it expects.
      concurrency: NUMBER.test(limits.concurrency) ? Number(limits.concurrency) : limits.concurrency || null,
      rate: limits.rate || null,
    };
    await service.limitQueue(name, wanted as LimitsRequest);
    change({});
    notice(`${name} is ${textOf(limits)}.`);
  }

  return (
    <ConfirmButton
      label="Limit…"
      title={`Limit ${name}?`}
      action="Limit"
      isReady={!inForce.isFetching}
      onOpenChange={setOpen}
      onConfirm={limit}
    >
      <p>
        Over all workers, in place of what the application declares. Without any limit, the declared ones
        count again.
      </p>
      {(["concurrency", "rate"] as const).map((member) => (
        <TextField
          key={member}
          validationBehavior="aria"
          className="field"
          value={limits[member]}
          onChange={(text) => change({ ...changed, [member]: text.trim() })}
          // A number that changes under the hand would be sent by mistake.
          isDisabled={inForce.isFetching}
          maxLength={20}
        >
          <Label>{labels[member]}</Label>
          <Input />
        </TextField>
      ))}
    </ConfirmButton>
  );
}

const labels = { concurrency: "How many jobs run at a time", rate: "How many start, such as 10/1s" };

function textOf({ concurrency, rate }: Limits): string {
  const parts = [
    ...(concurrency === "" ? [] : [`at most ${concurrency} at a time`]),
    ...(rate === "" ? [] : [`at most ${rate}`]),
  ];
  return parts.length === 0 ? "limited as declared" : `limited: ${parts.join(", ")}`;
}

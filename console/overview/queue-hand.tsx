import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { type Pause, type PauseAct, PauseWindow } from "../parts/pause.tsx";
import { RowMenu } from "../parts/row-menu.tsx";
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
  const [asked, ask] = useState<PauseAct | "limit" | null>(null);
  if (!useMay("operate")) return null;
  const close = () => ask(null);
  return (
    <>
      <RowMenu<PauseAct | "limit">
        of={name}
        acts={{ ...(isPaused ? { resume: "Resume…" } : { pause: "Pause…" }), limit: "Limit…" }}
        onAct={ask}
      />
      <QueuePause
        name={name}
        isPaused={isPaused}
        asked={asked === "limit" ? null : asked}
        onClose={close}
        onChanged={onPauseChange}
      />
      <LimitWindow name={name} isOpen={asked === "limit"} onClose={close} />
    </>
  );
}

interface QueuePauseProps {
  readonly name: string;
  readonly isPaused: boolean;
  readonly asked: PauseAct | null;
  readonly onClose: () => void;
  readonly onChanged?: (paused: Pause | null) => void;
}

export function QueuePause(props: QueuePauseProps) {
  return (
    <PauseWindow
      {...props}
      pause={service.pauseQueue}
      resume={service.resumeQueue}
      ifPaused="No further job of it starts, on any worker. Running jobs go on, and jobs are still accepted."
      ifResumed="What waits starts at once, as fast as workers and limits allow."
    />
  );
}

type LimitsRequest = Parameters<typeof service.limitQueue>[1];

const NUMBER = /^[1-9]\d{0,6}$/;

interface LimitProps {
  readonly name: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

function LimitWindow({ name, isOpen, onClose }: LimitProps) {
  const notice = useNotice();
  const [changed, change] = useState<Partial<Limits>>({});
  const inForce = useQuery({ ...limitsQuery(name), enabled: isOpen });
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
    <ConfirmWindow
      title={`Limit ${name}?`}
      action="Limit"
      isOpen={isOpen}
      onClose={onClose}
      isReady={!inForce.isFetching}
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
    </ConfirmWindow>
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

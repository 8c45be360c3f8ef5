import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { type Pause, type PauseAct, PauseWindow } from "../parts/pause.tsx";
import { RowMenu } from "../parts/row-menu.tsx";
import type { QueueOverview } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { CrowdWindow } from "./crowd-window.tsx";
import { type Limits, limitsQuery } from "./queries.ts";

interface Props {
  readonly queue: QueueOverview;
  readonly onPauseChange: (paused: Pause | null) => void;
}

type QueueAct = PauseAct | "hurry" | "limit" | "crowd";

/** Pauses a queue or resumes it, ends its slow start, and limits it. */
export function QueueHand({ queue, onPauseChange }: Props) {
  const { name, isPaused, paused, ramp, curbs } = queue;
  const [asked, ask] = useState<QueueAct | null>(null);
  if (!useMay("operate")) return null;
  const close = () => ask(null);
  return (
    <>
      <RowMenu<QueueAct>
        of={name}
        acts={{
          ...(isPaused ? { resume: "Resume…" } : { pause: "Pause…" }),
          ...(ramp !== null && { hurry: "Full speed…" }),
          limit: "Limit…",
          crowd: "Types and keys…",
        }}
        onAct={ask}
      />
      <QueuePause
        name={name}
        isPaused={isPaused}
        since={paused?.since ?? null}
        asked={asked === "pause" || asked === "resume" ? asked : null}
        onClose={close}
        onChanged={onPauseChange}
      />
      <HurryWindow name={name} isOver={ramp === null} isOpen={asked === "hurry"} onClose={close} />
      <LimitWindow name={name} isOpen={asked === "limit"} onClose={close} />
      <CrowdWindow queue={name} curbs={curbs} isOpen={asked === "crowd"} onClose={close} />
    </>
  );
}

interface QueuePauseProps {
  readonly name: string;
  readonly isPaused: boolean;
  readonly since: string | null;
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
      mayRamp
      ifResumed="What waits starts at once, as fast as workers and limits allow; or slowly, so that a provider that has just recovered is not flooded."
    />
  );
}

interface HurryProps {
  readonly name: string;
  /** Whether it is at full speed. */
  readonly isOver: boolean;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Ends a slow start before its time. */
function HurryWindow({ name, isOver, isOpen, onClose }: HurryProps) {
  const notice = useNotice();
  return (
    <ConfirmWindow
      title={`Full speed for ${name}?`}
      action="Full speed"
      isOpen={isOpen}
      onClose={onClose}
      over={isOver && "It is at full speed, or paused, meanwhile."}
      onConfirm={async () => {
        await service.resumeQueue(name, { expect: { pausedSince: null } });
        notice(`${name} is at full speed.`);
      }}
    >
      <p>It no longer starts slowly: what waits starts as fast as workers and limits allow.</p>
    </ConfirmWindow>
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
  const { seen, now, forget } = useSeenLimits(name, isOpen);
  const isOver = seen !== undefined && now !== undefined && textOf(now) !== textOf(seen);
  const limits = { ...(seen ?? { concurrency: "", rate: "", since: null }), ...changed };

  async function limit() {
    const wanted = {
      // What is no number goes to the service as it is, which says what it expects.
      concurrency: NUMBER.test(limits.concurrency) ? Number(limits.concurrency) : limits.concurrency || null,
      rate: limits.rate || null,
      expect: { limitedSince: seen?.since ?? null },
    };
    await service.limitQueue(name, wanted as LimitsRequest);
    change({});
    notice(`${name} is ${textOf(limits)}.`);
  }

  function close() {
    change({});
    forget();
    onClose();
  }

  return (
    <ConfirmWindow
      title={`Limit ${name}?`}
      action="Limit"
      isOpen={isOpen}
      onClose={close}
      isReady={seen !== undefined}
      over={isOver && `It is ${textOf(now)} meanwhile.`}
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
          isDisabled={seen === undefined}
          maxLength={20}
        >
          <Label>{labels[member]}</Label>
          <Input />
        </TextField>
      ))}
    </ConfirmWindow>
  );
}

const WATCH_MS = 2_000;

/** The limits that the window was opened with, and those that are in force now. */
function useSeenLimits(name: string, isOpen: boolean) {
  const [seen, see] = useState<Limits>();
  const { data, isFetchedAfterMount, dataUpdatedAt } = useQuery({
    ...limitsQuery(name),
    enabled: isOpen,
    refetchInterval: WATCH_MS,
  });
  const [openedAt, setOpenedAt] = useState(0);
  useEffect(() => {
    setOpenedAt(isOpen ? Date.now() : 0);
  }, [isOpen]);
  const isFresh = isOpen && openedAt > 0 && isFetchedAfterMount && dataUpdatedAt >= openedAt;
  useEffect(() => {
    if (isFresh && seen === undefined) see(data);
  }, [isFresh, seen, data]);
  return { seen, now: isFresh ? data : undefined, forget: () => see(undefined) };
}

const labels = { concurrency: "How many jobs run at a time", rate: "How many start, such as 10/1s" };

function textOf({ concurrency, rate }: Limits): string {
  const parts = [
    ...(concurrency === "" ? [] : [`at most ${concurrency} at a time`]),
    ...(rate === "" ? [] : [`at most ${rate}`]),
  ];
  return parts.length === 0 ? "limited as declared" : `limited: ${parts.join(", ")}`;
}

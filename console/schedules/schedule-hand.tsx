import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type PauseAct, PauseWindow } from "../parts/pause.tsx";
import { RowMenu } from "../parts/row-menu.tsx";
import type { ScheduleStatus } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { DeleteSchedule } from "./delete-schedule.tsx";
import { ChangeSchedule } from "./put-schedule.tsx";
import { RunNow } from "./run-now.tsx";
import { SkipTick } from "./skip-tick.tsx";

type ScheduleAct = PauseAct | "run" | "skip" | "change" | "delete";

/** Pauses a schedule or resumes it, runs its job, changes or deletes it. */
export function ScheduleHand({ schedule }: { readonly schedule: ScheduleStatus }) {
  const { name, jobType, paused, stored, next, skips } = schedule;
  const client = useQueryClient();
  const [asked, setAsked] = useState<ScheduleAct | null>(null);
  // The next tick may pass while the window is open.
  const [tick, setTick] = useState<string | null>(null);
  const ask = (act: ScheduleAct | null) => {
    setAsked(act);
    setTick(act === "skip" ? (next[0] ?? null) : null);
  };
  const willSkip = skips.some(({ at }) => at === next[0]);
  if (!useMay("operate")) return null;
  const of = (act: ScheduleAct) => ({ name, isOpen: asked === act, onClose: () => ask(null) });
  return (
    <>
      <RowMenu<ScheduleAct>
        of={name}
        acts={{
          run: "Run now…",
          ...(paused === null ? { pause: "Pause…" } : { resume: "Resume…" }),
          ...(paused === null &&
            next.length > 0 && { skip: willSkip ? "Let the next tick run…" : "Skip the next tick…" }),
          ...(stored !== null && { change: "Change…", delete: "Delete…" }),
        }}
        onAct={ask}
      />
      <PauseWindow
        name={name}
        pause={service.pauseSchedule}
        resume={service.resumeSchedule}
        isPaused={paused !== null}
        since={paused?.since ?? null}
        asked={asked === "pause" || asked === "resume" ? asked : null}
        onClose={() => ask(null)}
        mayEnd
        ifPaused="Its ticks are skipped, and not caught up later. Jobs of earlier ticks go on."
        ifResumed="It ticks again. Ticks during the pause are not caught up."
        onChanged={() => client.invalidateQueries({ queryKey: ["schedules"] })}
      />
      <SkipTick schedule={schedule} at={tick} onClose={() => ask(null)} />
      <RunNow {...of("run")} jobType={jobType} />
      <ChangeSchedule {...of("change")} version={stored?.version} />
      <DeleteSchedule {...of("delete")} version={stored?.version} />
    </>
  );
}

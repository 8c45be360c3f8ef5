import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { JobState, ListedJob } from "../service/answers.ts";
import { subscribe } from "../service/events.ts";
import { jobQuery } from "./queries.ts";

/**
 * Keeps a job's page up to date. The stream has no attempts and logs, so each event makes the page read the job again.
 *
 * @param state the last known state; undefined before the first answer
 */
export function useLiveJob(id: string, state: JobState | undefined): void {
  const client = useQueryClient();
  const isLive = state !== undefined && !hasEnded(state);

  useEffect(() => {
    if (!isLive) return;
    return subscribe<ListedJob>(`jobs/${encodeURIComponent(id)}/status`, {
      onData: () => void client.invalidateQueries({ queryKey: jobQuery(id).queryKey }),
      onConnection: () => {},
      onRefused: () => void client.invalidateQueries({ queryKey: jobQuery(id).queryKey }),
      isLast: (status) => hasEnded(status.state),
    });
  }, [id, isLive, client]);
}

function hasEnded(state: JobState): boolean {
  return state === "completed" || state === "failed";
}

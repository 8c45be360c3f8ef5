import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { JobState, ListedJob } from "../service/answers.ts";
import { follow } from "../service/events.ts";
import { jobQuery } from "./queries.ts";

/**
 * Keeps a job's page as the job is. The stream tells each change; attempts and logs are not in it, and are read anew.
 *
 * @param state as the page knows it; undefined while it knows nothing
 */
export function useFollowedJob(id: string, state: JobState | undefined): void {
  const client = useQueryClient();
  const isLive = state !== undefined && !hasEnded(state);

  useEffect(() => {
    if (!isLive) return;
    return follow<ListedJob>(`jobs/${encodeURIComponent(id)}/status`, {
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

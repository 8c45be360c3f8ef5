import { queryOptions } from "@tanstack/react-query";
import type { ActStatus } from "../service/answers.ts";
import { read, send } from "../service/call.ts";

const REFRESH_MS = 1_000;
const ENDED_REFRESH_MS = 5_000;
const SHOWN = 50;

/** Those that have not ended first, then the latest. */
export function actsQuery() {
  return queryOptions({
    queryKey: ["acts"],
    queryFn: ({ signal }) =>
      read<{ readonly acts: readonly ActStatus[] }>(`jobs/acts?limit=${SHOWN}`, signal),
    refetchInterval: ({ state: { data } }) =>
      data?.acts.some(({ endedAt }) => endedAt === null) ? REFRESH_MS : ENDED_REFRESH_MS,
    select: ({ acts }) => acts,
  });
}

export async function readAct(id: string): Promise<ActStatus> {
  return await read(actPath(id));
}

export async function stopAct(id: string): Promise<ActStatus> {
  return await send(`${actPath(id)}/stop`);
}

function actPath(id: string): string {
  return `jobs/acts/${encodeURIComponent(id)}`;
}

import { queryOptions } from "@tanstack/react-query";
import type { QueueView } from "../service/answers.ts";
import { read } from "../service/call.ts";

/** A queue's limits as a person writes them; empty where there is none. */
export interface Limits {
  readonly concurrency: string;
  readonly rate: string;
}

/** The limits in force, read anew each time somebody wants to change them. */
export function limitsQuery(name: string) {
  return queryOptions({
    queryKey: ["queues"],
    queryFn: ({ signal }) => read<{ readonly queues: readonly QueueView[] }>("queues", signal),
    select: ({ queues }): Limits => {
      const { concurrency, rate } = queues.find((queue) => queue.name === name)?.limits ?? {};
      return { concurrency: concurrency == null ? "" : String(concurrency), rate: rate ?? "" };
    },
    staleTime: 0,
    refetchOnWindowFocus: false,
  });
}

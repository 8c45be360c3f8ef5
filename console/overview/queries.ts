import { queryOptions } from "@tanstack/react-query";
import { service } from "../service/call.ts";

/** A queue's limits as a person writes them; empty where there is none. */
export interface Limits {
  readonly concurrency: string;
  readonly rate: string;
  /** Since when limits set by hand count; null where none are. */
  readonly since: string | null;
}

const CROWD_AGAIN_MS = 5_000;

/** Whose jobs a queue has. */
export function crowdQuery(name: string) {
  return queryOptions({
    queryKey: ["crowd", name],
    queryFn: () => service.crowd(name),
    refetchInterval: CROWD_AGAIN_MS,
  });
}

/** The limits in force, read anew each time somebody wants to change them. */
export function limitsQuery(name: string) {
  return queryOptions({
    queryKey: ["queues"],
    queryFn: () => service.queues(),
    select: (queues): Limits => {
      const { limits, override } = queues.find((queue) => queue.name === name) ?? {};
      const { concurrency, rate } = limits ?? {};
      return {
        concurrency: concurrency == null ? "" : String(concurrency),
        rate: rate ?? "",
        since: override?.since ?? null,
      };
    },
    staleTime: 0,
    refetchOnWindowFocus: false,
  });
}

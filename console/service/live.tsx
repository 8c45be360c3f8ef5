import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import type { Overview, ServiceProblem } from "./answers.ts";
import { setServiceTime } from "./clock.ts";
import { type Connection, subscribe } from "./events.ts";
import type { Problem } from "./problem.ts";
import { useSession } from "./session.ts";
import { type Away, watchUpdates } from "./watch-updates.ts";

/** How far back the chart goes. */
const HISTORY_MS = 10 * 60_000;

/** The overview, updated every two seconds. */
export interface Live {
  readonly overview: Overview | null;
  readonly connection: Connection;
  /** Why the service refuses it for good. */
  readonly refused: Problem | null;
  /** Why there is none at the moment. */
  readonly trouble: Problem | null;
  /** Whether two updates were missed, so that the page shows old values. */
  readonly isStale: boolean;
  /** What does not answer, if that is known. */
  readonly away: Away | null;
}

const nothing: Live = {
  overview: null,
  connection: "connecting",
  refused: null,
  trouble: null,
  isStale: false,
  away: null,
};
const LiveContext = createContext<Live>(nothing);

/** Provides the live overview to every page, from one stream. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const [live, setLive] = useState(nothing);
  const { era } = useSession();
  const client = useQueryClient();

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new sign-in needs a new stream
  useEffect(() => {
    setLive(nothing);
    const change = (changes: Partial<Live>) => setLive((before) => ({ ...before, ...changes }));
    const onData = (overview: Overview) => {
      updates.received();
      setServiceTime(overview.at);
      setLive((before) => ({
        ...before,
        overview: { ...overview, history: historyOf(before.overview, overview) },
        isStale: false,
        away: null,
      }));
    };
    const updates = watchUpdates<Overview>({
      path: "overview",
      onAnswer: onData,
      onMissed: (away) =>
        setLive((before) =>
          before.isStale && before.away === away ? before : { ...before, isStale: true, away },
        ),
    });
    const stop = subscribe<Overview>("overview", {
      onData,
      onConnection: (connection, trouble) => change({ connection, trouble }),
      onRefused(refused) {
        updates.stop();
        change({ refused, isStale: false, away: null });
      },
    });
    return () => {
      updates.stop();
      stop();
    };
  }, [era]);

  // Reads everything again after a stale period.
  const wasStale = useRef(false);
  useEffect(() => {
    if (wasStale.current && !live.isStale) void client.invalidateQueries();
    wasStale.current = live.isStale;
  }, [live.isStale, client]);

  return <LiveContext value={live}>{children}</LiveContext>;
}

/** Only a connection's first event has the whole history. Keeps the older points. */
function historyOf(before: Overview | null, { at, history }: Overview): Overview["history"] {
  const first = history[0]?.at;
  const kept = (before?.history ?? []).filter((point) => first === undefined || point.at < first);
  const since = new Date(Date.parse(at) - HISTORY_MS).toISOString();
  return [...kept, ...history].filter((point) => point.at >= since);
}

export function useLive(): Live {
  return useContext(LiveContext);
}

/** The two numbers that need a person; null until they are known. Cancelled jobs and those in doubt have not failed. */
export function useNeedsPerson(): { readonly failed: number | null; readonly inDoubt: number | null } {
  const { overview } = useLive();
  if (overview === null) return { failed: null, inDoubt: null };
  const { queues, guarded } = overview;
  return {
    failed: queues.reduce((total, { failed }) => total + failed, 0),
    inDoubt: queues.reduce((total, { inDoubt }) => total + inDoubt, guarded.inDoubt),
  };
}

/** Whether the service refuses work because of it. */
export function refusesWork({ code }: ServiceProblem): boolean {
  return code !== null;
}

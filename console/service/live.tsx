import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import type { Overview } from "./answers.ts";
import { type Away, watchBeats } from "./beats.ts";
import { setServiceTime } from "./clock.ts";
import { type Connection, follow } from "./events.ts";
import type { Problem } from "./problem.ts";
import { useSession } from "./session.ts";

/** For so long the chart looks back. */
const HISTORY_MS = 10 * 60_000;

/** The overview as the service tells it every two seconds. */
export interface Live {
  readonly overview: Overview | null;
  readonly connection: Connection;
  /** Why the service does not tell it, and will not. */
  readonly refused: Problem | null;
  /** Why it does not tell it just now. */
  readonly trouble: Problem | null;
  /** Whether two beats were missed: what is on the page was so, and need not be so now. */
  readonly isStale: boolean;
  /** What does not answer, where that is known. */
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

/** What is live on every page: one stream serves them all. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const [live, setLive] = useState(nothing);
  const { era } = useSession();
  const client = useQueryClient();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the stream is opened anew for somebody else
  useEffect(() => {
    setLive(nothing);
    const change = (changes: Partial<Live>) => setLive((before) => ({ ...before, ...changes }));
    const onData = (told: Overview) => {
      beats.heard();
      setServiceTime(told.at);
      setLive((before) => ({
        ...before,
        overview: { ...told, history: historyOf(before.overview, told) },
        isStale: false,
        away: null,
      }));
    };
    const beats = watchBeats<Overview>({
      path: "overview",
      onAnswer: onData,
      onMissed: (away) =>
        setLive((before) =>
          before.isStale && before.away === away ? before : { ...before, isStale: true, away },
        ),
    });
    const stop = follow<Overview>("overview", {
      onData,
      onConnection: (connection, trouble) => change({ connection, trouble }),
      onRefused(refused) {
        beats.stop();
        change({ refused, isStale: false, away: null });
      },
    });
    return () => {
      beats.stop();
      stop();
    };
  }, [era]);

  // What was read before the silence is read anew after it.
  const wasStale = useRef(false);
  useEffect(() => {
    if (wasStale.current && !live.isStale) void client.invalidateQueries();
    wasStale.current = live.isStale;
  }, [live.isStale, client]);

  return <LiveContext value={live}>{children}</LiveContext>;
}

/** Only the first event of a connection tells the whole history; what was told before it began is kept. */
function historyOf(before: Overview | null, { at, history }: Overview): Overview["history"] {
  const first = history[0]?.at;
  const kept = (before?.history ?? []).filter((point) => first === undefined || point.at < first);
  const since = new Date(Date.parse(at) - HISTORY_MS).toISOString();
  return [...kept, ...history].filter((point) => point.at >= since);
}

export function useLive(): Live {
  return useContext(LiveContext);
}

/** The two numbers that need a person; null until the service has told them. What was cancelled needs nobody. */
export function useNeedsPerson(): { readonly failed: number | null; readonly inDoubt: number | null } {
  const { overview } = useLive();
  if (overview === null) return { failed: null, inDoubt: null };
  const { queues } = overview;
  return {
    failed: queues.reduce((total, { failed, cancelled }) => total + failed - cancelled, 0),
    inDoubt: queues.reduce((total, { inDoubt }) => total + inDoubt, 0),
  };
}

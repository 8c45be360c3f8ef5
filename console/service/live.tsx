import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Overview } from "./answers.ts";
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
}

const nothing: Live = { overview: null, connection: "connecting", refused: null, trouble: null };
const LiveContext = createContext<Live>(nothing);

/** What is live on every page: one stream serves them all. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const [live, setLive] = useState(nothing);
  const { era } = useSession();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the stream is opened anew for somebody else
  useEffect(() => {
    setLive(nothing);
    const change = (changes: Partial<Live>) => setLive((before) => ({ ...before, ...changes }));
    return follow<Overview>("overview", {
      onData(told) {
        setServiceTime(told.at);
        setLive((before) => ({
          ...before,
          overview: { ...told, history: historyOf(before.overview, told) },
        }));
      },
      onConnection: (connection, trouble) => change({ connection, trouble }),
      onRefused: (refused) => change({ refused }),
    });
  }, [era]);

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

/** The two numbers that need a person; null until the service has told them. */
export function useNeedsPerson(): { readonly failed: number | null; readonly inDoubt: number | null } {
  const { overview } = useLive();
  if (overview === null) return { failed: null, inDoubt: null };
  const sum = (pick: "failed" | "inDoubt") =>
    overview.queues.reduce((total, queue) => total + queue[pick], 0);
  return { failed: sum("failed"), inDoubt: sum("inDoubt") };
}

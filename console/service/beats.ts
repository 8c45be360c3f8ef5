import { read } from "./call.ts";
import { asProblem } from "./problem.ts";

/** What does not answer: the API itself, or the store behind it. */
export type Away = "API" | "store";

export interface BeatsOptions<T> {
  /** Where to ask when the stream is silent. */
  readonly path: string;
  /** An answer to that question, which is as good as a beat. */
  readonly onAnswer: (answer: T) => void;
  /** Two beats were missed. @param away null until it is known */
  readonly onMissed: (away: Away | null) => void;
}

export interface Beats {
  /** To be called for each beat of the stream. */
  heard(): void;
  stop(): void;
}

/** The service sends a view every two seconds. After one that is missing it is asked, after two nothing counts as live. */
const ASK_AFTER_MS = 3_000;
const MISSED_AFTER_MS = 4_500;
const LOOK_EVERY_MS = 500;
/** The API answers within 2 s, or says that the store does not. */
const ANSWER_MAX_MS = 4_000;

/** Watches a stream for silence, and finds out whether the API or the store is away. A hidden page hears nothing, and asks nothing. */
export function watchBeats<T>({ path, onAnswer, onMissed }: BeatsOptions<T>): Beats {
  const over = new AbortController();
  let heardAt = Date.now();
  let isAsking = false;
  let away: Away | null = null;

  async function ask(): Promise<void> {
    isAsking = true;
    try {
      const answer = await read<T>(path, AbortSignal.any([over.signal, AbortSignal.timeout(ANSWER_MAX_MS)]));
      if (!over.signal.aborted) onAnswer(answer);
    } catch (thrown) {
      away = awayOf(thrown);
    } finally {
      isAsking = false;
    }
  }

  const timer = setInterval(() => {
    const silentMs = Date.now() - heardAt;
    if (document.hidden || silentMs < ASK_AFTER_MS) return;
    if (!isAsking) void ask();
    if (silentMs >= MISSED_AFTER_MS) onMissed(away);
  }, LOOK_EVERY_MS);
  return {
    heard() {
      heardAt = Date.now();
      away = null;
    },
    stop() {
      clearInterval(timer);
      over.abort();
    },
  };
}

/** @returns null where the API answers and has nothing against the store, such as a refusal */
function awayOf(thrown: unknown): Away | null {
  const { status, code } = asProblem(thrown);
  if (code.startsWith("STORE_")) return "store";
  return status >= 400 && status < 500 ? null : "API";
}

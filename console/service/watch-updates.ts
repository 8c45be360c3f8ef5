import { request } from "./call.ts";
import { asProblem } from "./problem.ts";

/** What does not answer. */
export type Away = "API" | "Redis";

export interface UpdatesOptions<T> {
  /** What to read if no update comes. */
  readonly path: string;
  /** Called with that answer, which is as good as an update. */
  readonly onAnswer: (answer: T) => void;
  /** Called when two updates were missed. @param away null until it is known */
  readonly onMissed: (away: Away | null) => void;
}

export interface UpdatesWatch {
  /** Call it for each update of the stream. */
  received(): void;
  stop(): void;
}

/** Updates come every two seconds. After a missed one the service is asked; after two the page is stale. */
const ASK_AFTER_MS = 3_000;
const MISSED_AFTER_MS = 4_500;
const LOOK_EVERY_MS = 500;
/** The API answers within 2 s, even if Redis does not. */
const ANSWER_MAX_MS = 4_000;

/** Notices missed updates of a stream, and finds out whether the API or Redis is away. Pauses while the page is hidden. */
export function watchUpdates<T>({ path, onAnswer, onMissed }: UpdatesOptions<T>): UpdatesWatch {
  const over = new AbortController();
  let receivedAt = Date.now();
  let isAsking = false;
  let away: Away | null = null;

  async function ask(): Promise<void> {
    isAsking = true;
    try {
      const signal = AbortSignal.any([over.signal, AbortSignal.timeout(ANSWER_MAX_MS)]);
      const answer = (await (await request(path, { signal })).json()) as T;
      if (!over.signal.aborted) onAnswer(answer);
    } catch (thrown) {
      away = awayOf(thrown);
    } finally {
      isAsking = false;
    }
  }

  const timer = setInterval(() => {
    const silentMs = Date.now() - receivedAt;
    if (document.hidden || silentMs < ASK_AFTER_MS) return;
    if (!isAsking) void ask();
    if (silentMs >= MISSED_AFTER_MS) onMissed(away);
  }, LOOK_EVERY_MS);
  return {
    received() {
      receivedAt = Date.now();
      away = null;
    },
    stop() {
      clearInterval(timer);
      over.abort();
    },
  };
}

/** @returns null if the API answers, e.g. with a refusal, and Redis is not the reason */
function awayOf(thrown: unknown): Away | null {
  const { status, code } = asProblem(thrown);
  if (code.startsWith("STORE_")) return "Redis";
  return status >= 400 && status < 500 ? null : "API";
}

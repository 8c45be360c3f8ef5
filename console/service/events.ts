import { request } from "./call.ts";
import { Problem } from "./problem.ts";

/** `connecting`: for the first time, or again; nothing comes in until it is `live`. */
export type Connection = "connecting" | "live";

export interface FollowOptions<T> {
  readonly onData: (data: T) => void;
  /** @param why nothing comes in, where the service says so */
  readonly onConnection: (connection: Connection, why: Problem | null) => void;
  /** What the service refuses for good; it is not asked again. */
  readonly onRefused: (problem: Problem) => void;
  /** Whether nothing will come after this. */
  readonly isLast?: (data: T) => boolean;
}

/** The service sends a sign of life at least every 15 s. */
const SILENCE_MAX_MS = 20_000;
const RECONNECT_MS = { first: 500, most: 8_000 };

/**
 * Follows a stream of events, over and over, until told to stop.
 *
 * With `fetch`, since an `EventSource` does not tell what it is refused with. While the page is hidden it hangs up: a browser allows an
 * origin six connections, and forgotten tabs must not take them all.
 *
 * @returns stops it
 */
export function follow<T>(path: string, options: FollowOptions<T>): () => void {
  const over = new AbortController();
  void followOn(path, options, over.signal);
  return () => over.abort();
}

async function followOn<T>(path: string, options: FollowOptions<T>, over: AbortSignal): Promise<void> {
  for (let failures = 0; !over.aborted; failures += 1) {
    await untilVisible(over);
    if (over.aborted) return;
    const told = { count: 0 };
    const end = await readOnce(path, options, over, told).catch(asEnd);
    if (over.aborted || end === "over") return;
    const why = end instanceof Problem ? end : null;
    if (why !== null && isFinal(why)) return options.onRefused(why);
    if (told.count > 0) failures = 0;
    options.onConnection("connecting", why);
    await pause(Math.min(RECONNECT_MS.first * 2 ** failures, RECONNECT_MS.most), over);
  }
}

/** Reads one connection to its end. */
async function readOnce<T>(
  path: string,
  { onData, onConnection, isLast = () => false }: FollowOptions<T>,
  over: AbortSignal,
  told: { count: number },
): Promise<"over" | "cut"> {
  const connection = new AbortController();
  const watch = watchForSilence(() => connection.abort());
  const hangUp = () => document.hidden && connection.abort();
  document.addEventListener("visibilitychange", hangUp);
  try {
    const response = await request(path, {
      headers: { Accept: "text/event-stream" },
      signal: AbortSignal.any([over, connection.signal]),
    });
    if (response.status === 204 || response.body === null) return "over";
    for await (const data of readEvents(response.body, watch.heard)) {
      told.count += 1;
      onConnection("live", null);
      onData(data as T);
      if (isLast(data as T)) return "over";
    }
    return "cut";
  } finally {
    connection.abort();
    watch.stop();
    document.removeEventListener("visibilitychange", hangUp);
  }
}

function asEnd(thrown: unknown): "cut" | Problem {
  return thrown instanceof Problem ? thrown : "cut";
}

/** Whether time cannot mend it. */
function isFinal({ status }: Problem): boolean {
  return status >= 400 && status < 500;
}

/** The data of each event, parsed. Comments are only signs of life. */
async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: () => void,
): AsyncGenerator<unknown> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const blocks = (unread + value).split("\n\n");
    unread = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data: "));
      if (lines.length > 0) yield JSON.parse(lines.map((line) => line.slice("data: ".length)).join("\n"));
    }
  }
}

function watchForSilence(onSilence: () => void): { heard: () => void; stop: () => void } {
  let timer = setTimeout(onSilence, SILENCE_MAX_MS);
  const stop = () => clearTimeout(timer);
  return {
    stop,
    heard() {
      stop();
      timer = setTimeout(onSilence, SILENCE_MAX_MS);
    },
  };
}

function untilVisible(over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !over.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    over.addEventListener("abort", look, { once: true });
    look();
  });
}

function pause(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    over.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
}

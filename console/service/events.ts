import { request } from "./call.ts";
import { Problem } from "./problem.ts";

/** `connecting`: for the first time or again. */
export type Connection = "connecting" | "live";

export interface SubscribeOptions<T> {
  readonly onData: (data: T) => void;
  /** @param why there is no connection, if the service says so */
  readonly onConnection: (connection: Connection, why: Problem | null) => void;
  /** Called if the service refuses for good. There is no further try. */
  readonly onRefused: (problem: Problem) => void;
  /** Whether this is the last event. */
  readonly isLast?: (data: T) => boolean;
}

/** The service sends a heartbeat at least every 15 s. */
const SILENCE_MAX_MS = 20_000;
const RECONNECT_MS = { first: 500, most: 8_000 };

/**
 * Subscribes to a stream of events, and reconnects until stopped.
 *
 * Uses `fetch`, because `EventSource` does not show problems. It disconnects while the page is hidden: browsers allow six
 * connections to an origin, and forgotten tabs must not use them all.
 *
 * @returns stops it
 */
export function subscribe<T>(path: string, options: SubscribeOptions<T>): () => void {
  const over = new AbortController();
  void keepReading(path, options, over.signal);
  return () => over.abort();
}

async function keepReading<T>(path: string, options: SubscribeOptions<T>, over: AbortSignal): Promise<void> {
  for (let failures = 0; !over.aborted; failures += 1) {
    await untilVisible(over);
    if (over.aborted) return;
    const received = { count: 0 };
    const end = await readOnce(path, options, over, received).catch(asEnd);
    if (over.aborted || end === "over") return;
    const why = end instanceof Problem ? end : null;
    if (why !== null && isFinal(why)) return options.onRefused(why);
    if (received.count > 0) failures = 0;
    options.onConnection("connecting", why);
    await pause(Math.min(RECONNECT_MS.first * 2 ** failures, RECONNECT_MS.most), over);
  }
}

/** Reads one connection to its end. */
async function readOnce<T>(
  path: string,
  { onData, onConnection, isLast = () => false }: SubscribeOptions<T>,
  over: AbortSignal,
  received: { count: number },
): Promise<"over" | "cut"> {
  const connection = new AbortController();
  const silence = watchForSilence(() => connection.abort());
  const hangUp = () => document.hidden && connection.abort();
  document.addEventListener("visibilitychange", hangUp);
  try {
    const response = await request(path, {
      headers: { Accept: "text/event-stream" },
      signal: AbortSignal.any([over, connection.signal]),
    });
    if (response.status === 204 || response.body === null) return "over";
    for await (const data of readEvents(response.body, silence.reset)) {
      received.count += 1;
      onConnection("live", null);
      onData(data as T);
      if (isLast(data as T)) return "over";
    }
    return "cut";
  } finally {
    connection.abort();
    silence.stop();
    document.removeEventListener("visibilitychange", hangUp);
  }
}

function asEnd(thrown: unknown): "cut" | Problem {
  return thrown instanceof Problem ? thrown : "cut";
}

/** Whether trying again cannot help. */
function isFinal({ status }: Problem): boolean {
  return status >= 400 && status < 500;
}

/** The parsed data of each event. Heartbeats are comments without data. */
async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onBytes: () => void,
): AsyncGenerator<unknown> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onBytes();
    const blocks = (unread + value).split("\n\n");
    unread = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data: "));
      if (lines.length > 0) yield JSON.parse(lines.map((line) => line.slice("data: ".length)).join("\n"));
    }
  }
}

function watchForSilence(onSilence: () => void): { reset: () => void; stop: () => void } {
  let timer = setTimeout(onSilence, SILENCE_MAX_MS);
  const stop = () => clearTimeout(timer);
  return {
    stop,
    reset() {
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

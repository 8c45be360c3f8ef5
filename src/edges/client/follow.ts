import type { JobStatus } from "../../core/job/job-status.ts";
import { notHoldfast, readAnswer } from "./answer.ts";
import { ANSWER_MAX_MS, type ApiCalls } from "./api.ts";
import { readEvents, type ServerEvent } from "./events.ts";
import { pause, pauseAfter, resend } from "./resend.ts";
import { openTimer, type Timer } from "./timer.ts";

export interface WaitOptions {
  /** How long to wait for the end, in milliseconds, in whole seconds. @default for ever */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Below the time-outs of most proxies. */
const WAIT_MAX_S = 30;
/** The API sends a heartbeat at least every 15 s. */
const SILENCE_MAX_MS = 20_000;

/** @returns the status when the job has ended, or when the time is up */
export async function waitForEnd(
  api: ApiCalls,
  id: string,
  { timeoutMs = Number.POSITIVE_INFINITY, signal }: WaitOptions,
): Promise<JobStatus> {
  const endAt = performance.now() + timeoutMs;
  for (let refusals = 0; ; refusals += 1) {
    const askedAt = performance.now();
    const waitMs = 1_000 * Math.min(WAIT_MAX_S, Math.max(0, Math.ceil((endAt - askedAt) / 1_000)));
    const headers = { prefer: `wait=${waitMs / 1_000}` };
    const status = await api.again<JobStatus>({ path: statusPath(id), headers, waitMs, signal });
    const answeredAt = performance.now();
    if (hasEnded(status) || answeredAt >= endAt) return status;
    if (answeredAt >= askedAt + waitMs) refusals = 0;
    // An API that has too many subscribers, or stops, answers at once.
    else await pause(Math.min(pauseAfter(refusals), endAt - answeredAt), signal);
  }
}

/** A job's states, from the current one to its end. Connects again after a lost connection. */
export async function* followStates(
  api: ApiCalls,
  id: string,
  signal?: AbortSignal,
): AsyncGenerator<JobStatus, void> {
  let latest: ServerEvent | undefined;
  for (let losses = 0; ; losses += 1) {
    for await (const event of await connect(api, id, latest?.id, signal)) {
      // A new connection begins with the current state.
      if (event.data === latest?.data) continue;
      latest = event;
      losses = 0;
      const status = JSON.parse(event.data) as JobStatus;
      yield status;
      if (hasEnded(status)) return;
    }
    await pause(pauseAfter(losses), signal);
  }
}

/** Opens a stream of events. It ends with the connection. */
function connect(
  api: ApiCalls,
  id: string,
  lastId: string | undefined,
  signal?: AbortSignal,
): Promise<AsyncIterable<ServerEvent>> {
  const headers = { accept: "text/event-stream", ...(lastId !== undefined && { "last-event-id": lastId }) };
  const attempt = async (leftMs: number) => {
    const timer = openTimer(signal);
    timer.set(Math.min(leftMs, ANSWER_MAX_MS));
    try {
      const response = await api.fetch({ path: statusPath(id), headers, signal: timer.signal });
      return eventsOf(await streamIn(response), timer, signal);
    } catch (thrown) {
      const reason = timer.signal.aborted ? timer.signal.reason : thrown;
      timer.end();
      throw reason;
    }
  };
  return resend(attempt, { timeoutMs: api.timeoutMs, signal });
}

/** @throws HoldfastError unless the answer is a stream of events */
async function streamIn(response: Response): Promise<ReadableStream<Uint8Array>> {
  const { ok, body, headers } = response;
  if (ok && body !== null && headers.get("content-type")?.startsWith("text/event-stream")) return body;
  await readAnswer(response);
  throw notHoldfast("something else than a stream of events");
}

async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  timer: Timer,
  signal?: AbortSignal,
): AsyncGenerator<ServerEvent> {
  try {
    yield* readEvents(body, { reading: () => timer.set(SILENCE_MAX_MS), read: timer.stop });
  } catch {
    signal?.throwIfAborted(); // otherwise the connection was lost
  } finally {
    timer.end();
  }
}

export function statusPath(id: string): string {
  return `/jobs/${encodeURIComponent(id)}/status`;
}

function hasEnded({ state }: JobStatus): boolean {
  return state === "completed" || state === "failed";
}

import type { FastifyReply, FastifyRequest } from "fastify";
import { hasEnded, type JobStatus } from "../../../core/job/job-status.ts";
import { onRequestBehind } from "../../../platform/lib/connections/turns.ts";
import type { OpenRequests } from "../guard/open-requests.ts";
import { discardRequestsBehind } from "../guard/turns.ts";
import type { Subscribers } from "../subscribers.ts";
import { EventStream, eventIdOf, statusEvent } from "./event-stream.ts";

export interface SubscribeParts {
  readonly subscribers: Subscribers;
  readonly openRequests: OpenRequests;
}

/** Keeps Node's idle time-out from closing a waiting connection. */
const SOCKET_MARGIN_MS = 10_000;

/**
 * Waits until the job ends, is gone, or the time is up. It does not let another request on its connection wait behind it.
 *
 * @returns `status`: undefined if the job is gone; `inFull`: false if it ended before the job did or the time was up
 * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_SUBSCRIBERS`
 */
export async function holdUntilEnd(
  { subscribers, openRequests }: SubscribeParts,
  id: string,
  { raw: response, request }: FastifyReply,
  waitMs: number,
) {
  const startedAt = performance.now();
  let finish = () => {};
  let isTimeUp = false;
  let stopListening = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const subscription = await subscribers.subscribe(id, "end", (status) => {
    if (isOver(status)) finish();
  });
  // The first read counts as waiting: a slow Redis does not delay the answer.
  const leftMs = waitMs - (performance.now() - startedAt);
  const timer = setTimeout(() => {
    isTimeUp = true;
    finish();
  }, leftMs);
  try {
    if (isOver(subscription.status) || leftMs <= 0) return { status: subscription.status, inFull: true };
    response.socket?.setTimeout(waitMs + SOCKET_MARGIN_MS);
    openRequests.keepOpen(response, finish);
    stopListening = onRequestBehind(request.raw, finish);
    await finished;
    // The subscription reports the end only; other changes need a read.
    const status = isOver(subscription.status) ? subscription.status : await subscription.refresh();
    return { status, inFull: isTimeUp || isOver(status) };
  } finally {
    clearTimeout(timer);
    stopListening();
    subscription.leave();
  }
}

/**
 * Streams the job's states, from the current one to the end.
 *
 * A client that reconnects after the last event gets 204, which makes an `EventSource` stop.
 *
 * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_SUBSCRIBERS`; never after the stream has begun
 */
export async function streamStatus(
  { subscribers, openRequests }: SubscribeParts,
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  let stream: EventStream<JobStatus> | undefined;
  const send = (status: JobStatus | undefined) => {
    if (status !== undefined && !hasEnded(status)) stream?.send(status);
    else stream?.end(status === undefined ? ": the job is gone\n\n" : statusEvent(status));
  };
  const subscription = await subscribers.subscribe(id, "everything", send);
  const { status } = subscription;
  if (status !== undefined && hasEnded(status) && request.headers["last-event-id"] === eventIdOf(status)) {
    subscription.leave();
    return reply.code(204).send();
  }
  reply.hijack();
  discardRequestsBehind(request.raw);
  stream = new EventStream(reply.raw, statusEvent);
  send(status);
  openRequests.keepOpen(reply.raw, () => {
    subscription.leave();
    stream?.end(": the server is stopping; connect again\n\n");
  });
  return reply;
}

function isOver(status: JobStatus | undefined): boolean {
  return status === undefined || hasEnded(status);
}

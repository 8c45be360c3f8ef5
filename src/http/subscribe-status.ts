import type { FastifyReply, FastifyRequest } from "fastify";
import { hasEnded, type JobStatus } from "../status/job-status.ts";
import type { Subscribers } from "../status/subscribers.ts";
import { EventStream, eventIdOf, frameOf } from "./event-stream.ts";
import type { HeldRequests } from "./held-requests.ts";

/** What it takes to keep clients up to date. */
export interface FollowParts {
  readonly subscribers: Subscribers;
  readonly held: HeldRequests;
}

/** How a wait came out. */
export interface Waited {
  /** Undefined when the job is gone. */
  readonly status: JobStatus | undefined;
  /** Whether the job has ended or the time was up; false when the server closes before that. */
  readonly inFull: boolean;
}

/** The connection must not be cut for being silent while its client waits. */
const SOCKET_MARGIN_MS = 10_000;

/**
 * Waits until the job has ended or is gone, or the time is up.
 *
 * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_FOLLOWERS`
 */
export async function waitForEnd(
  { subscribers, held }: FollowParts,
  id: string,
  { raw: response }: FastifyReply,
  waitMs: number,
): Promise<Waited> {
  const askedAt = performance.now();
  let letGo = () => {};
  let isTimeUp = false;
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const following = await subscribers.follow(id, "end", (status) => {
    if (isOver(status)) letGo();
  });
  // The first read is part of the wait: with a slow store the answer is no later for it.
  const leftMs = waitMs - (performance.now() - askedAt);
  const timer = setTimeout(() => {
    isTimeUp = true;
    letGo();
  }, leftMs);
  try {
    if (isOver(following.status) || leftMs <= 0) return { status: following.status, inFull: true };
    response.socket?.setTimeout(waitMs + SOCKET_MARGIN_MS);
    held.hold(response, letGo);
    await released;
    // What else happened to the job was not read.
    const status = isOver(following.status) ? following.status : await following.refresh();
    return { status, inFull: isTimeUp || isOver(status) };
  } finally {
    clearTimeout(timer);
    following.leave();
  }
}

/**
 * Answers with a stream of the job's states, from the present one to its end.
 *
 * A client that comes back for more after the end is told, with 204, that there is none: it would come back for ever.
 *
 * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_FOLLOWERS`; later it does not throw
 */
export async function streamStatus(
  { subscribers, held }: FollowParts,
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  let stream: EventStream<JobStatus> | undefined;
  const tell = (status: JobStatus | undefined) => {
    if (status !== undefined && !hasEnded(status)) stream?.tell(status);
    else stream?.end(status === undefined ? ": the job is gone\n\n" : frameOf(status));
  };
  const following = await subscribers.follow(id, "everything", tell);
  const { status } = following;
  if (status !== undefined && hasEnded(status) && request.headers["last-event-id"] === eventIdOf(status)) {
    following.leave();
    return reply.code(204).header("Cache-Control", "no-store").send();
  }
  reply.hijack();
  stream = new EventStream(reply.raw, frameOf);
  tell(status);
  held.hold(reply.raw, () => {
    following.leave();
    stream?.end(": the server is stopping; connect again\n\n");
  });
  return reply;
}

function isOver(status: JobStatus | undefined): boolean {
  return status === undefined || hasEnded(status);
}

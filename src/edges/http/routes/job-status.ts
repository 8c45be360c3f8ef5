import type { FastifyInstance, FastifyReply } from "fastify";
import { jobNotFound } from "../../../core/job/job-id.ts";
import type { JobStatus } from "../../../core/job/job-status.ts";
import { jobStatusSchema } from "../../../features/job-status.ts";
import { component } from "../body/component.ts";
import { problemResponses } from "../body/problem.ts";
import { acceptsEventStream, preferredWaitSeconds } from "../body/request-headers.ts";
import { holdUntilEnd, streamStatus } from "../body/subscribe-status.ts";
import type { ApiParts } from "../parts.ts";

const description = `One endpoint for every state, read from BullMQ in one atomic step.

Three ways to follow a job:

- plain reads;
- \`Prefer: wait=N\` (RFC 7240): answers when the job has ended, or after N seconds with its state at that time;
- \`Accept: text/event-stream\`: streams \`status\` events, the current state first, then each change until the job's end.`;

const headers = {
  type: "object",
  properties: {
    Prefer: {
      type: "string",
      description:
        "`wait=N`: wait up to N seconds for the job's end; more than 60 counts as 60. Invalid values are ignored.",
    },
    "Last-Event-ID": {
      type: "string",
      description:
        "The id of the last event received. If that was the job's end, the answer is 204: there is no more.",
    },
  },
};

const preferenceApplied = {
  "Preference-Applied": {
    type: "string",
    description: "`wait=N` if the wait was granted, with the N that counted.",
  },
};

const eventStream = {
  schema: {
    type: "string",
    description:
      "Server-Sent Events. Each `status` event's `data` is the JSON of the plain answer, on one line. Quick successions of states may come as one event. The stream ends after the job's end; if it ends earlier, connect again.",
    examples: [
      'retry: 2718\n\nid: 8Jt0vLz3yRkQm1xA\nevent: status\ndata: {"id":"default_01a20e19-a8cb-7a5b-9450-ed7a84f99c50","state":"active"}\n\n: heartbeat\n\n',
    ],
  },
};

const readJobStatusSchema = {
  operationId: "readJobStatus",
  summary: "Read a job's state",
  description,
  tags: ["jobs"],
  headers,
  params: {
    type: "object",
    properties: {
      id: { type: "string", description: "The id from the answer to the submission." },
    },
  },
  response: {
    200: {
      description: "The job now, or as it changes.",
      headers: preferenceApplied,
      content: {
        "application/json": { schema: component("JobStatus", jobStatusSchema) },
        "text/event-stream": eventStream,
      },
    },
    204: {
      description: "To a client that reconnects after the job's end: there is no more.",
      type: "null",
    },
    ...problemResponses("JOB_NOT_FOUND", "STORE_UNAVAILABLE", "TOO_MANY_SUBSCRIBERS"),
  },
};

/** `GET /jobs/:id/status`: a job's state now, at its end, or at each change. */
export function addJobStatusRoute(
  server: FastifyInstance,
  { operator, subscribers, openRequests }: ApiParts,
): void {
  async function answerNow(id: string, reply: FastifyReply): Promise<FastifyReply> {
    return answer(reply, await operator.status(id));
  }

  async function answerAfterWait(id: string, reply: FastifyReply, seconds: number): Promise<FastifyReply> {
    const { status, inFull } = await holdUntilEnd({ subscribers, openRequests }, id, reply, seconds * 1_000);
    if (inFull) reply.header("Preference-Applied", `wait=${seconds}`);
    if (openRequests.wasEnded(reply.raw)) reply.header("Connection", "close");
    return answer(reply, status);
  }

  server.get<{ Params: { id: string } }>(
    "/jobs/:id/status",
    { config: { scope: "read" }, schema: readJobStatusSchema },
    (request, reply) => {
      const { id } = request.params;
      // HEAD comes here too, and has no body to wait for.
      if (request.method === "GET") {
        if (acceptsEventStream(request.headers.accept))
          return streamStatus({ subscribers, openRequests }, id, request, reply);
        const seconds = preferredWaitSeconds(request.headers.prefer);
        if (seconds !== undefined && !subscribers.isFull) return answerAfterWait(id, reply, seconds);
      }
      return answerNow(id, reply);
    },
  );
}

/** @throws HoldfastError `JOB_NOT_FOUND` */
function answer(reply: FastifyReply, status: JobStatus | undefined): FastifyReply {
  if (status === undefined) throw jobNotFound();
  return reply.send(status);
}

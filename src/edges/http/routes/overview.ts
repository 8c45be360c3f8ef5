import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Overview, overviewSchema } from "../../../desk/overview/overview.ts";
import { EventStream, eventOf } from "../body/event-stream.ts";
import { problemResponses } from "../body/problem.ts";
import { acceptsEventStream } from "../body/request-headers.ts";
import { discardRequestsBehind } from "../guard/turns.ts";
import type { ApiParts } from "../parts.ts";

/** One client's events: the first has the whole history, each later one only the points added since. */
function overviewEvents(): (view: Overview) => string {
  let sentUpTo = "";
  return (view) => {
    const history = view.history.filter(({ at }) => at > sentUpTo);
    sentUpTo = history.at(-1)?.at ?? sentUpTo;
    return eventOf("overview", { ...view, history });
  };
}

const readOverviewSchema = {
  operationId: "readOverview",
  summary: "Read the overview",
  description:
    "Queue depths, ages, rates, times, workers and Redis. With `Accept: text/event-stream`, an `overview` event every two seconds: `history` is complete in the first event, and has only the new points in each later one.",
  tags: ["operate"],
  response: {
    200: {
      description: "The overview now, or as it changes.",
      content: {
        "application/json": { schema: z.toJSONSchema(overviewSchema) },
        "text/event-stream": { schema: { type: "string", description: "Server-Sent Events." } },
      },
    },
    ...problemResponses("STORE_UNAVAILABLE", "TOO_MANY_SUBSCRIBERS"),
  },
};

/** `GET /overview`: the state of the service, now or as it changes. */
export function addOverviewRoutes(
  server: FastifyInstance,
  { overview, subscribers, openRequests }: ApiParts,
): void {
  async function stream({ raw }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const countOut = subscribers.admit();
    const first = await overview.read().catch((error: unknown) => {
      countOut();
      throw error;
    });
    reply.hijack();
    discardRequestsBehind(raw);
    const events = new EventStream(reply.raw, overviewEvents());
    events.send(first);
    const leave = overview.onView((view) => events.send(view));
    openRequests.keepOpen(reply.raw, () => {
      countOut();
      leave();
      events.end(": the server is stopping; connect again\n\n");
    });
    return reply;
  }

  server.get(
    "/overview",
    { config: { scope: "read" }, schema: readOverviewSchema },
    async (request, reply) => {
      if (request.method === "GET" && acceptsEventStream(request.headers.accept))
        return await stream(request, reply);
      return reply.send(await overview.read());
    },
  );
}

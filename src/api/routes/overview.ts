import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { type Overview, overviewSchema } from "../../watch/overview.ts";
import { acceptsEventStream } from "../accept-header.ts";
import { framesOf, openEventStream } from "../event-stream.ts";
import { createHeldRequests } from "../held-requests.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

const frameOf = framesOf<Overview>("overview");

const typesSchema = z.object({ types: z.array(z.object({ type: z.string(), queue: z.string() })) });

/** `GET /overview`: what goes on, now or as it changes. `GET /types`: which jobs there can be. */
export function addOverviewRoutes(server: FastifyInstance, { application, overview }: ApiParts): void {
  const held = createHeldRequests();
  server.addHook("preClose", held.stop);

  async function stream(reply: FastifyReply): Promise<FastifyReply> {
    const first = await overview.read();
    reply.hijack();
    const events = openEventStream(reply.raw, frameOf);
    events.tell(first);
    const leave = overview.onView(events.tell);
    held.hold(reply.raw, () => {
      leave();
      events.end(": the server is stopping; connect again\n\n");
    });
    return reply;
  }

  server.get(
    "/overview",
    {
      config: { scope: "read" },
      schema: {
        summary: "Tell what goes on",
        description:
          "Depth, age, rates, times, workers and the store. With `Accept: text/event-stream`: an `overview` event every two seconds, read once for all who look.",
        tags: ["operate"],
        response: {
          200: {
            description: "How it is now, or as it changes.",
            content: {
              "application/json": { schema: z.toJSONSchema(overviewSchema) },
              "text/event-stream": { schema: { type: "string", description: "Server-Sent Events." } },
            },
          },
          ...problemResponses("STORE_UNAVAILABLE"),
        },
      },
    },
    async (request, reply) => {
      if (request.method === "GET" && acceptsEventStream(request.headers.accept)) return await stream(reply);
      return reply.header("Cache-Control", "no-store").send(await overview.read());
    },
  );
  server.get(
    "/types",
    {
      config: { scope: "read" },
      schema: {
        summary: "List the types of jobs",
        tags: ["operate"],
        response: {
          200: { ...z.toJSONSchema(typesSchema), description: "As the application declares them." },
        },
      },
    },
    async () => ({ types: [...application.jobs].map(([type, { queue }]) => ({ type, queue })) }),
  );
}

import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { type Overview, overviewSchema } from "../../operate/overview.ts";
import { acceptsEventStream } from "../accept-header.ts";
import { EventStream, eventOf, framesOf } from "../event-stream.ts";
import { createHeldRequests } from "../held-requests.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

const wholeFrameOf = framesOf<Overview>("overview");
const laterFrames = new WeakMap<Overview, { readonly after: string | undefined; readonly frame: string }>();

/** Makes one client's events: the first with the whole history, each later one with what was added since the one before. */
function framesOfOne(): (view: Overview) => string {
  let sentUpTo: string | undefined;
  return (view) => {
    const frame = sentUpTo === undefined ? wholeFrameOf(view) : laterFrameOf(view, sentUpTo);
    sentUpTo = view.history.at(-1)?.at ?? sentUpTo;
    return frame;
  };
}

/** Nearly all clients were told the same before, so it is made once for them. */
function laterFrameOf(view: Overview, after: string): string {
  const known = laterFrames.get(view);
  if (known?.after === after) return known.frame;
  const frame = eventOf("overview", { ...view, history: view.history.filter(({ at }) => at > after) });
  laterFrames.set(view, { after, frame });
  return frame;
}

const typesSchema = z.object({ types: z.array(z.object({ type: z.string(), queue: z.string() })) });

/** `GET /overview`: what goes on, now or as it changes. `GET /types`: which jobs there can be. */
export function addOverviewRoutes(
  server: FastifyInstance,
  { application, overview, subscribers }: ApiParts,
): void {
  const held = createHeldRequests();
  server.addHook("preClose", held.stop);

  async function stream(reply: FastifyReply): Promise<FastifyReply> {
    const countOut = subscribers.admit();
    const first = await overview.read().catch((error: unknown) => {
      countOut();
      throw error;
    });
    reply.hijack();
    const events = new EventStream(reply.raw, framesOfOne());
    events.tell(first);
    const leave = overview.onView((view) => events.tell(view));
    held.hold(reply.raw, () => {
      countOut();
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
          "Depth, age, rates, times, workers and the store. With `Accept: text/event-stream`: an `overview` event every two seconds, read once for all who look; `history` is whole in the first of them, and in each later one what was added since.",
        tags: ["operate"],
        response: {
          200: {
            description: "How it is now, or as it changes.",
            content: {
              "application/json": { schema: z.toJSONSchema(overviewSchema) },
              "text/event-stream": { schema: { type: "string", description: "Server-Sent Events." } },
            },
          },
          ...problemResponses("STORE_UNAVAILABLE", "TOO_MANY_FOLLOWERS"),
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

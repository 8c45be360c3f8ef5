// A Fastify application: a producer in its routes, and Holdfast's API, console and reference at /jobs-admin.
import fastify from "fastify";
import { createProducer, HoldfastError, type PayloadOf } from "holdfast";
import { createHandler } from "holdfast/server";
import { welcome } from "./contract.js";
import application from "./holdfast.config.js";

const server = fastify({ logger: true });

// #region producer
const producer = await createProducer(application, process.env, { logger: server.log });
server.addHook("onClose", () => producer.stop());

server.get("/", (_request, reply) => {
  reply.type("text/html").send('<a href="/jobs-admin/console/">Jobs</a>');
});

server.post<{ Params: { id: string }; Body: PayloadOf<typeof welcome> }>(
  "/signups/:id",
  async ({ params, body }, reply) => {
    const receipt = await producer.submit(welcome, body, { idempotencyKey: `signup-${params.id}` });
    return reply.code(202).send(receipt);
  },
);

// Fastify answers with the error's statusCode by itself: 400 for a bad payload, 503 without Redis. This adds what is wrong.
server.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof HoldfastError)) throw error;
  return reply.code(error.statusCode).type("application/problem+json").send(error.toProblem());
});
// #endregion

// #region mount
const jobs = await createHandler(application, { prefix: "/jobs-admin", logger: server.log });
server.addHook("preClose", () => jobs.stop());

await server.register(async (mount) => {
  // Holdfast reads bodies itself.
  mount.removeAllContentTypeParsers();
  mount.addContentTypeParser("*", (_request, _body, done) => done(null));
  mount.all("/jobs-admin/*", (request, reply) => {
    reply.hijack();
    jobs.node(request.raw, reply.raw);
  });
});
// #endregion

process.once("SIGTERM", () => void server.close());
await server.listen({ port: Number(process.env.PORT ?? 3001) });

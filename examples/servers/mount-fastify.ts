// A Fastify application with Holdfast's API, console and reference at /jobs-admin.
import fastify from "fastify";
import { createHandler } from "holdfast/server";
import application from "../../holdfast.config.ts";

const server = fastify({ logger: true });
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

await server.listen({ port: 3001 });

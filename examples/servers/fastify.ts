// A Fastify application whose producer lives as long as its server, and logs where the server does.
import fastify from "fastify";
import { createProducer } from "holdfast";
import application from "../../holdfast.config.ts";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";

const server = fastify({ logger: true });
const producer = await createProducer(application, process.env, { logger: server.log });
server.addHook("onClose", () => producer.stop());

server.post<{ Params: { id: string }; Body: { email: string; name: string; message: string } }>(
  "/signups/:id",
  async ({ params, body }, reply) => {
    // If it throws, Fastify answers with the error's statusCode: 400 for a bad payload, 503 without Redis.
    const receipt = await producer.submit(welcomeEmail, body, { idempotencyKey: `signup-${params.id}` });
    return reply.code(202).send(receipt);
  },
);

process.once("SIGTERM", () => void server.close());
await server.listen({ port: 3001 });

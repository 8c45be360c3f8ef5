// An HTTP server that accepts a submission and does nothing, or refuses each third one.
import type { AddressInfo } from "node:net";
import fastify from "fastify";

const server = fastify();
const id = "default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f";
const answer = { id, type: "plain-email", idempotencyKey: "constant", duplicate: false };

server.post("/jobs", (_request, reply) =>
  reply.code(202).header("location", `/jobs/${id}/status`).send(answer),
);

let asked = 0;
server.post("/refusing", (_request, reply) => {
  asked += 1;
  return asked % 3 === 0
    ? reply.code(429).send({ error: "Too Many Requests" })
    : reply.code(202).send(answer);
});

await server.listen({ host: "127.0.0.1", port: 0 });
const [address] = server.addresses();
process.send?.({ url: `http://127.0.0.1:${(address as AddressInfo).port}` });
process.on("disconnect", () => process.exit());

import type { FastifyReply } from "fastify";

/** Says in headers, too, where a submitted job is read, and whether an earlier request has submitted it. Other answers have no such headers. */
export function addReceiptHeaders(reply: FastifyReply, body: unknown): void {
  if (typeof body !== "object" || body === null) return;
  if (!("statusUrl" in body) || typeof body.statusUrl !== "string") return;
  reply.header("Location", body.statusUrl);
  if ("duplicate" in body && body.duplicate === true) reply.header("Idempotency-Replayed", "true");
}

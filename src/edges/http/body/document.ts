import { hash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";

/** A JSON document that does not change while the process runs. */
export interface Document {
  readonly bytes: Buffer;
  readonly etag: string;
}

export function documentOf(content: object): Document {
  const bytes = Buffer.from(JSON.stringify(content));
  return { bytes, etag: `"${hash("sha256", bytes, "base64url").slice(0, 22)}"` };
}

/** Answers with a document, or with 304 to a client that has it. */
export function sendDocument(
  { headers }: Pick<FastifyRequest, "headers">,
  reply: FastifyReply,
  { bytes, etag }: Document,
): FastifyReply {
  reply.header("ETag", etag).header("Cache-Control", "no-cache");
  if (has(headers["if-none-match"], etag)) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(bytes);
}

/** Whether an `If-None-Match` names it. A proxy that compresses makes a tag weak. */
function has(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

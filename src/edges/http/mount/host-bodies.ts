import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";

/** What body parsers leave on a request: Express's `body`, and `rawBody`, which NestJS and others keep. */
interface ReadByHost extends IncomingMessage {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/**
 * Accepts bodies that the host application has read before: their bytes where it kept them in `rawBody`, otherwise what its parser made
 * of them.
 */
export function readHostBodies(server: FastifyInstance): void {
  server.addHook("preParsing", ({ raw, headers }, _reply, payload, done) => {
    if (!raw.readableDidRead) return done(null, payload);
    const bytes = bytesOf(raw);
    if (bytes === undefined) return done(readAlready());
    // Fastify compares it with Content-Length, which is about the bytes that the host read.
    const receivedEncodedLength = Number(headers["content-length"] ?? bytes.length);
    done(null, Object.assign(Readable.from([bytes]), { receivedEncodedLength }));
  });
}

function bytesOf({ body, rawBody }: ReadByHost): Buffer | undefined {
  const found = rawBody ?? body;
  if (found === undefined) return undefined;
  if (Buffer.isBuffer(found)) return found;
  return Buffer.from(typeof found === "string" ? found : JSON.stringify(found));
}

/** Waiting for a body that nobody can read would last for ever. */
function readAlready(): HoldfastError {
  const message =
    "The application has read the body and kept nothing of it: mount Holdfast before its body parser";
  return new HoldfastError("INTERNAL", message, { cause: new Error(message) });
}

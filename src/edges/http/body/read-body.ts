import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { roomOf } from "../guard/body-budget.ts";

type Done = (error: Error | null, body?: Buffer) => void;

/** Reads a body of at most the route's limit. What comes after a refusal is thrown away. */
export function readBytes(request: FastifyRequest, payload: Readable, done: Done): void {
  const { bodyLimit } = request.routeOptions;
  const room = roomOf(request.raw);
  const chunks: Buffer[] = [];
  let length = 0;

  function add(chunk: Buffer): void {
    length += chunk.length;
    chunks.push(chunk);
    try {
      if (length > bodyLimit) throw tooLarge();
      room?.add(chunk.length);
    } catch (error) {
      end(error as Error);
    }
  }

  function complete(): void {
    room?.complete();
    end(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
  }

  const breakOff = () => end(new HoldfastError("REQUEST_TIMED_OUT", "The body broke off"));

  function end(error: Error | null, body?: Buffer): void {
    payload.off("data", add).off("end", complete).off("error", breakOff).off("close", breakOff);
    payload.resume();
    // The request lives on while the rest of a refused body arrives.
    chunks.length = 0;
    done(error, body);
  }

  if (Number(request.headers["content-length"]) > bodyLimit) {
    done(tooLarge());
    return;
  }
  if (room !== undefined) room.onRefused = end;
  payload.on("data", add).on("end", complete).on("error", breakOff).on("close", breakOff);
}

/** A body, or a job of a batch. */
export function tooLarge(): HoldfastError {
  return new HoldfastError("BODY_TOO_LARGE", "Expected a body of at most 1 MiB, or 4 MiB for a batch");
}

import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { roomOf } from "../guard/body-budget.ts";

/** A client may send its body byte by byte, and Node holds two hundred bytes for each piece: so many are joined. */
const JOINED_PIECES = 256;

type Done = (error: Error | null, body?: Buffer) => void;

/** Reads a body of at most the route's limit. What comes after a refusal is thrown away. */
export function readBytes(request: FastifyRequest, payload: Readable, done: Done): void {
  const { bodyLimit } = request.routeOptions;
  const room = roomOf(request.raw);
  const joined: Buffer[] = [];
  const pieces: Buffer[] = [];
  let length = 0;

  function add(piece: Buffer): void {
    length += piece.length;
    if (pieces.push(piece) === JOINED_PIECES) joined.push(Buffer.concat(pieces.splice(0)));
    try {
      if (length > bodyLimit) throw bodyTooLarge();
      room?.add(piece.length);
    } catch (error) {
      end(error as Error);
    }
  }

  function complete(): void {
    room?.complete();
    const all = [...joined, ...pieces];
    end(null, all.length === 1 ? all[0] : Buffer.concat(all, length));
  }

  const breakOff = () => end(new HoldfastError("REQUEST_TIMED_OUT", "The body broke off"));

  function end(error: Error | null, body?: Buffer): void {
    payload.off("data", add).off("end", complete).off("error", breakOff).off("close", breakOff);
    payload.resume();
    // The request lives on while the rest of a refused body arrives.
    joined.length = 0;
    pieces.length = 0;
    done(error, body);
  }

  if (Number(request.headers["content-length"]) > bodyLimit) {
    done(bodyTooLarge());
    return;
  }
  if (room !== undefined) room.onRefused = end;
  payload.on("data", add).on("end", complete).on("error", breakOff).on("close", breakOff);
}

/** A body, or a job of a batch. */
export function bodyTooLarge(): HoldfastError {
  return new HoldfastError("BODY_TOO_LARGE", "Expected a body of at most 1 MiB, or 4 MiB for a batch");
}

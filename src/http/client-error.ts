import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { PROBLEM_TYPE, toProblem } from "./problem.ts";

const TIMED_OUT = "ERR_HTTP_REQUEST_TIMEOUT";

/**
 * Answers what never became a request, in the terms of every other answer, and hangs up.
 *
 * @param answer what the connection's latest request has got or is about to get: nobody may take this one for it
 */
export function refuseConnection(
  error: Error & { readonly code?: string },
  socket: Socket,
  answer?: ServerResponse,
): void {
  if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
  // Clients open connections in advance. One that is used at just this moment would take a word for its answer.
  else if (error.code === TIMED_OUT && socket.bytesRead === 0) socket.destroy();
  else if (answer === undefined) refuseAsHttp(socket, faultOf(error.code));
  else if (answer.writableFinished) socket.destroySoon();
  else answer.once("close", () => socket.destroySoon());
}

/** Writes a problem to a connection of which there is no request to answer, and hangs up. */
export function refuseAsHttp(socket: Socket, error: HoldfastError): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** @param code Node's name of what went wrong with the connection */
function faultOf(code: string | undefined): HoldfastError {
  if (code === TIMED_OUT)
    return new HoldfastError("REQUEST_TIMED_OUT", "The request did not arrive in time; send it again");
  if (code === "HPE_HEADER_OVERFLOW")
    return new HoldfastError("INVALID_REQUEST", "Expected less than 16 KiB of headers");
  return new HoldfastError("INVALID_REQUEST", "Expected an HTTP request");
}

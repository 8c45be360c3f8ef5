import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { PROBLEM_TYPE, toProblem } from "./problem.ts";

const TIMED_OUT = "ERR_HTTP_REQUEST_TIMEOUT";

/**
 * Answers bytes that are not an HTTP request with a problem, and closes the connection.
 *
 * @param answer to the connection's latest request: it goes out first, so that the problem is not mistaken for it
 */
export function refuseConnection(
  error: Error & { readonly code?: string },
  socket: Socket,
  answer?: ServerResponse,
): void {
  if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
  // Clients open connections in advance, and would mistake a problem for the answer to their first request.
  else if (error.code === TIMED_OUT && socket.bytesRead === 0) socket.destroy();
  else if (answer === undefined) refuseAsHttp(socket, faultOf(error.code));
  else if (answer.writableFinished) socket.destroySoon();
  else answer.once("close", () => socket.destroySoon());
}

/** Writes a problem to a connection that has no request to answer, and closes it. */
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

/** @param code Node's error code */
function faultOf(code: string | undefined): HoldfastError {
  if (code === TIMED_OUT)
    return new HoldfastError("REQUEST_TIMED_OUT", "The request did not arrive in time; send it again");
  if (code === "HPE_HEADER_OVERFLOW")
    return new HoldfastError("INVALID_REQUEST", "Expected less than 16 KiB of headers");
  return new HoldfastError("INVALID_REQUEST", "Expected an HTTP request");
}

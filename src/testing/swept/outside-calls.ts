import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { Socket } from "node:net";
import { targetOf } from "../../evidence/outgoing/watch-sockets.ts";
import type { OutsideCall } from "./orders.ts";

/** RFC 9110 calls them safe. */
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "::1", "[::1]", "0.0.0.0", "::"]);

/**
 * Reports each connection and each HTTP request that this process begins, in the asynchronous context of the code that begins it.
 *
 * Anything else can be reported by the code itself: `diagnostics_channel.channel("holdfast:outside-call").publish("text")`.
 */
export function watchOutsideCalls(report: (call: OutsideCall) => void): void {
  watchConnections(report);
  subscribe("http.client.request.start", (message) => {
    const { request } = message as { request: ClientRequest };
    report(
      httpCall(
        request.method,
        `${request.protocol}//${request.getHeader("host") ?? request.host}${request.path}`,
      ),
    );
  });
  subscribe("undici:request:create", (message) => {
    const { request } = message as { request: { method: string; origin: string; path: string } };
    report(httpCall(request.method, `${request.origin}${request.path}`));
  });
  subscribe("holdfast:outside-call", (message) => report({ kind: "reported", text: String(message) }));
}

/** Without the query, which may hold secrets. */
function httpCall(method: string, target: string): OutsideCall {
  const { protocol, hostname, port, host, pathname } = new URL(target);
  const address = addressOf(hostname, port || (protocol === "https:" ? 443 : 80));
  return {
    kind: "request",
    text: `${method} ${protocol}//${host}${pathname}`,
    address,
    isRead: READS.has(method),
  };
}

function watchConnections(report: (call: OutsideCall) => void): void {
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const address = sameLoopback(targetOf(args));
    report({ kind: "connection", text: `connection to ${address}`, address });
    return Reflect.apply(connect, this, args);
  } as typeof connect;
}

/** The path of a socket stays as it is. */
function sameLoopback(target: string): string {
  const port = /:(\d*)$/.exec(target);
  return port === null ? target : addressOf(target.slice(0, port.index), port[1] ?? "");
}

/** All names of this machine's loopback are one. */
export function addressOf(host: string, port: number | string): string {
  return `${LOOPBACK.has(host) ? "127.0.0.1" : host}:${port}`;
}

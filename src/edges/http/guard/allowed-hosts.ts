import type { IncomingMessage } from "node:http";
import { Server, type Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { createHostGuard, type HostGuard, isLoopback } from "../../../platform/lib/hosts.ts";
import { isInMemory } from "../mount/in-memory.ts";

/** @returns why a request is refused, or undefined */
type RequestGuard = (request: IncomingMessage) => HoldfastError | undefined;

/**
 * With API keys any host name is served: a page of another site has no key.
 *
 * @param isMounted whether the server is another application's, which may listen beyond this machine
 */
export function hostGuardOf(
  { HOLDFAST_API_KEYS: keys, HOLDFAST_ALLOWED_HOSTS: allowed }: Settings,
  isMounted: boolean,
): RequestGuard {
  if (keys.length > 0) return () => undefined;
  const guard: HostGuard = createHostGuard(allowed);
  return isMounted ? (request) => refuseElsewhere(request) ?? guard(request) : guard;
}

/**
 * Clients choose their `Host` header. An API without keys refuses to listen beyond this machine; a mounted one cannot.
 *
 * A connection that its client has reset has no address any more: an unknown client is refused.
 */
function refuseElsewhere({ socket }: IncomingMessage): HoldfastError | undefined {
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined && isLoopback(remoteAddress.replace(/^::ffff:/, ""))) return undefined;
  if (isInMemory(socket) || cameByUnixSocket(socket)) return undefined;
  return new HoldfastError(
    "HOST_NOT_ALLOWED",
    "Expected a request from this machine: set HOLDFAST_API_KEYS to serve others",
  );
}

/** Whether its server listens on a path of this machine. Node.js notes on each accepted socket which server that is. */
function cameByUnixSocket(socket: Socket): boolean {
  const server: unknown = Reflect.get(socket, "server");
  return server instanceof Server && typeof server.address() === "string";
}

/** Refuses other host names on every path. Call it before adding other hooks. */
export function guardHosts(server: FastifyInstance, guard: RequestGuard): void {
  server.addHook("onRequest", ({ raw }, _reply, done) => done(guard(raw)));
}

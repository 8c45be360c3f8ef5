import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { createHostGuard, type HostGuard, isLoopback } from "../../../platform/lib/hosts.ts";

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

/** Clients choose their `Host` header. An API without keys refuses to listen beyond this machine; a mounted one cannot. */
function refuseElsewhere({ socket: { remoteAddress } }: IncomingMessage): HoldfastError | undefined {
  // Absent for a Unix socket, and for a request that came as a `Request`.
  if (remoteAddress === undefined || isLoopback(remoteAddress.replace(/^::ffff:/, ""))) return undefined;
  return new HoldfastError(
    "HOST_NOT_ALLOWED",
    "Expected a request from this machine: set HOLDFAST_API_KEYS to serve others",
  );
}

/** Refuses other host names on every path. Call it before adding other hooks. */
export function guardHosts(server: FastifyInstance, guard: RequestGuard): void {
  server.addHook("onRequest", ({ raw }, _reply, done) => done(guard(raw)));
}

import type { FastifyInstance } from "fastify";
import type { Settings } from "../../../platform/config/settings.ts";
import { createHostGuard, type HostGuard } from "../../../platform/lib/hosts.ts";

/** With API keys any host name is served: a page of another site has no key. */
export function hostGuardOf({
  HOLDFAST_API_KEYS: keys,
  HOLDFAST_ALLOWED_HOSTS: allowed,
}: Settings): HostGuard {
  return keys.length > 0 ? () => undefined : createHostGuard(allowed);
}

/** Refuses other host names on every path. Call it before adding other hooks. */
export function guardHosts(server: FastifyInstance, guard: HostGuard): void {
  server.addHook("onRequest", ({ raw }, _reply, done) => done(guard(raw)));
}

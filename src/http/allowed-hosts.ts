import type { FastifyInstance } from "fastify";
import type { Settings } from "../config/settings.ts";
import { createHostGuard, type HostGuard } from "../lib/host-guard.ts";

/** With API keys a stranger's page is refused for having none, and the service may have any name. */
export function hostGuardOf({
  HOLDFAST_API_KEYS: keys,
  HOLDFAST_ALLOWED_HOSTS: allowed,
}: Settings): HostGuard {
  return keys.length > 0 ? () => undefined : createHostGuard(allowed);
}

/** Refuses what names another host, on every route and where there is none. To be called before other hooks are added. */
export function guardHosts(server: FastifyInstance, guard: HostGuard): void {
  server.addHook("onRequest", ({ raw }, _reply, done) => done(guard(raw)));
}

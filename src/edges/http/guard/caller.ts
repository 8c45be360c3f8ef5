import type { FastifyRequest } from "fastify";

/** Who sends a request, for the audit log. Only a session has a key without the header. */
export function callerOf({ apiKey, headers }: FastifyRequest): string {
  if (apiKey === undefined) return "API";
  return headers.authorization === undefined ? `${apiKey.name} (session)` : apiKey.name;
}

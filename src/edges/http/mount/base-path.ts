import type { IncomingMessage } from "node:http";

const basePaths = new WeakMap<IncomingMessage, string>();

/** Notes under which path clients see the API, e.g. `/jobs-admin`. */
export function setBasePath(request: IncomingMessage, path: string): void {
  basePaths.set(request, path);
}

/** @returns under which path the client sees the API; empty for the root */
export function basePathOf(request: IncomingMessage): string {
  return basePaths.get(request) ?? "";
}

/** The answer, with a `statusUrl` that is right for this client. */
export function underBasePath<Body>(request: IncomingMessage, body: Body): Body {
  const base = basePathOf(request);
  if (base === "" || typeof body !== "object" || body === null) return body;
  if (!("statusUrl" in body) || typeof body.statusUrl !== "string") return body;
  return { ...body, statusUrl: base + body.statusUrl };
}

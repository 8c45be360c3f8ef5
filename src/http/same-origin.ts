import type { FastifyRequest } from "fastify";

type Asked = Pick<FastifyRequest, "method" | "headers">;

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a browser says that a page of another site sends this, and it could change something. Programs say nothing of
 * the kind, and pages of other sites have no business here: no answer allows them to read it (CORS).
 */
export function comesFromOtherSite({ method, headers }: Asked): boolean {
  const site = headers["sec-fetch-site"];
  return site !== undefined && site !== "same-origin" && site !== "none" && !SAFE.has(method);
}

/**
 * Whether a request that a browser has authenticated by itself, with its cookie, was meant by one of our own pages.
 *
 * `Host` and `Origin` are not compared: a proxy may have changed one of them. Browsers send `Sec-Fetch-Site` only over
 * HTTPS and to this machine, so over plain HTTP the console's own header stands in: a page of another site cannot set it.
 */
export function provesSameOrigin({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return true;
  return headers["sec-fetch-site"] === "same-origin" || headers["x-holdfast-console"] !== undefined;
}

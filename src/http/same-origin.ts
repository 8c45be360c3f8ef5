import type { FastifyRequest } from "fastify";

type Asked = Pick<FastifyRequest, "method" | "headers">;

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a browser sends this for a page of another site, with a method that could change something. */
export function comesFromOtherSite({ method, headers }: Asked): boolean {
  const site = headers["sec-fetch-site"];
  return site !== undefined && site !== "same-origin" && site !== "none" && !SAFE.has(method);
}

/**
 * Whether a request with a cookie comes from one of our own pages.
 *
 * A proxy may change `Host` or `Origin`, so they are not compared. Browsers send `Sec-Fetch-Site` only over HTTPS and to
 * this machine; over plain HTTP the console's own header is the proof, since a page of another site cannot set it.
 */
export function provesSameOrigin({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return true;
  return headers["sec-fetch-site"] === "same-origin" || headers["x-holdfast-console"] !== undefined;
}

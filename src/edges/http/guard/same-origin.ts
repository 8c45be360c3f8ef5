import type { FastifyRequest } from "fastify";

type Asked = Pick<FastifyRequest, "method" | "headers">;

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a browser sends this for a page of another site, with a method that could change something. */
export function comesFromOtherSite({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  return hasForeignOrigin(headers) && !hasWhatPagesCannotSend(headers);
}

/**
 * Whether a request with a cookie comes from one of our own pages.
 *
 * A proxy may change `Host` or `Origin`, so they prove nothing. Over plain HTTP the console's own header is the proof.
 */
export function provesSameOrigin({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return true;
  return headers["sec-fetch-site"] === "same-origin" || isFromConsole(headers);
}

/**
 * Browsers send `Sec-Fetch-Site` only over HTTPS and to this machine, but `Origin` with every method that is not safe. Schemes
 * are not compared: a proxy may speak HTTPS where this server speaks HTTP.
 */
function hasForeignOrigin({ origin, host }: Asked["headers"]): boolean {
  if (origin === undefined) return false;
  // A sandboxed page sends "null".
  if (!URL.canParse(origin)) return true;
  const page = new URL(origin);
  const asked = `${page.protocol}//${host ?? ""}`;
  return !URL.canParse(asked) || new URL(asked).host !== page.host;
}

/** Without our consent, which this service never gives, browsers add neither header for a page of another site. */
function hasWhatPagesCannotSend(headers: Asked["headers"]): boolean {
  return isFromConsole(headers) || /^Bearer /i.test(headers.authorization ?? "");
}

function isFromConsole(headers: Asked["headers"]): boolean {
  return headers["x-holdfast-console"] !== undefined;
}

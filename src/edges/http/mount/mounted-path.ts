import type { IncomingMessage } from "node:http";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";

/** A request's path, in two parts. */
export interface MountedPath {
  /** The one in front of the API, as clients see it, e.g. `/jobs-admin`. */
  readonly base: string;
  /** The one in the API, with its query, e.g. `/jobs?limit=1`. */
  readonly url: string;
}

/** Connect, Express and others shorten `url` for what is mounted at a path, and keep `originalUrl`. */
export interface RoutedRequest extends IncomingMessage {
  originalUrl?: string | undefined;
}

const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)*$/;

/**
 * @param prefix with or without a trailing slash
 * @returns without one; empty for the root
 * @throws HoldfastError `CONFIG_INVALID`
 */
export function readPrefix(prefix: string): string {
  const path = prefix.replace(/\/$/, "");
  if (PREFIX.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path)) return path;
  throw new HoldfastError(
    "CONFIG_INVALID",
    `prefix: expected a path such as /jobs-admin, of letters, digits and -._~, got ${JSON.stringify(prefix)}`,
  );
}

/**
 * Divides a request's path.
 *
 * @param prefix from `readPrefix`
 * @returns undefined if the request is for something else of the host application
 */
export function locate(
  { url = "/", originalUrl = url }: Pick<RoutedRequest, "url" | "originalUrl">,
  prefix: string,
): MountedPath | undefined {
  const mountedAt = shortenedBy(originalUrl, url);
  if (prefix === "") return { base: mountedAt, url };
  const whole = below(originalUrl, prefix);
  if (whole !== undefined) return { base: prefix, url: whole };
  // The host has mounted it at another path, and the prefix begins there.
  const rest = below(url, prefix);
  return rest === undefined ? undefined : { base: mountedAt + prefix, url: rest };
}

function below(url: string, prefix: string): string | undefined {
  if (!url.startsWith(prefix)) return undefined;
  const rest = url.slice(prefix.length);
  if (rest.startsWith("/")) return rest;
  return rest === "" || rest.startsWith("?") ? `/${rest}` : undefined;
}

/** What a router has cut off the front of a path. */
function shortenedBy(originalUrl: string, url: string): string {
  if (originalUrl.endsWith(url)) return originalUrl.slice(0, -url.length);
  // Express turns the mount's own path into "/".
  const [path = ""] = originalUrl.split("?");
  return path;
}

import type { IncomingMessage } from "node:http";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { isLoopback, parseHost, writeHost } from "./allowed-hosts.ts";
import { headerValues } from "./header-values.ts";

/** @returns why a request is refused, or undefined */
export type HostGuard = (request: Pick<IncomingMessage, "rawHeaders" | "url">) => HoldfastError | undefined;

const SHOWN_MAX = 100;

/**
 * Refuses requests that do not name this machine.
 *
 * A website can point its own name at 127.0.0.1 (DNS rebinding). The browser then takes this server for the website's, and only the
 * `Host` header, which no page can choose, shows the difference.
 *
 * @param allowed names besides loopback, from `HOLDFAST_ALLOWED_HOSTS`
 */
export function createHostGuard(allowed: ReadonlySet<string>): HostGuard {
  function isServed(text: string): boolean {
    const host = parseHost(text);
    if (host === undefined) return false;
    return isLoopbackName(host.name) || allowed.has(host.name) || allowed.has(writeHost(host));
  }

  return (request) => {
    const named = [...headerValues(request, "host"), ...authorityOf(request.url)];
    const stranger = named.length === 0 ? "none" : named.find((text) => !isServed(text));
    return stranger === undefined ? undefined : notAllowed(stranger);
  };
}

/** Browsers resolve all names under `localhost` to this machine, whatever the DNS says. */
function isLoopbackName(name: string): boolean {
  return isLoopback(name) || name.endsWith(".localhost") || name === "[::1]";
}

/** The host in a target such as `http://host/path`, which outranks the header. */
function authorityOf(target = ""): string[] {
  if (target.startsWith("/") || target === "*") return [];
  const [, authority = ""] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target) ?? [];
  return [authority];
}

function notAllowed(found: string): HoldfastError {
  const shown = found.length > SHOWN_MAX ? `${found.slice(0, SHOWN_MAX)}…` : found;
  return new HoldfastError(
    "HOST_NOT_ALLOWED",
    `Expected a Host header that names this machine (localhost, *.localhost, 127.0.0.0/8 or [::1]) or is in HOLDFAST_ALLOWED_HOSTS, got ${JSON.stringify(shown)}`,
  );
}

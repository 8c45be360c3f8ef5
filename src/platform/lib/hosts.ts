import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { z } from "zod";
import { HoldfastError } from "../errors/holdfast-error.ts";

/** A `Host` header, or one entry of `HOLDFAST_ALLOWED_HOSTS`. */
export interface HostName {
  /** In lower case, without a trailing dot; an IPv6 address in brackets. */
  readonly name: string;
  readonly port: string | undefined;
}

const HOST = /^(?:(\[[0-9a-f:.]{2,45}\])|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::(\d{0,5}))?$/;
const LENGTH_MAX = 262;

/** @returns undefined where the text is no host name or address with an optional port */
function parseHost(text: string): HostName | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  const [matched, ipv6, name = ipv6, port] = HOST.exec(text.toLowerCase()) ?? [];
  if (matched === undefined || name === undefined) return undefined;
  return { name, port: port || undefined };
}

const allowedHost = z
  .string()
  .transform((text) => parseHost(text.trim()))
  .refine((host) => host !== undefined && (host.port === undefined || isPort(host.port)))
  .transform((host) => (host === undefined ? "" : writeHost(host)));

/** Host names with or without a port, comma-separated. */
export const allowedHosts = z
  .string()
  .transform((value) => value.split(","))
  .pipe(z.array(allowedHost))
  .transform((hosts): ReadonlySet<string> => new Set(hosts))
  .default(new Set<string>());

/** A host in the form of the set of `allowedHosts`. */
function writeHost({ name, port }: HostName): string {
  return port === undefined ? name : `${name}:${port}`;
}

function isPort(port: string): boolean {
  return Number(port) >= 1 && Number(port) <= 65_535;
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

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

/** The URL of a server on this machine, also of one that listens on every address. */
export function urlOf(host: string, port: number): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `http://${isLoopback(host) ? name : "127.0.0.1"}:${port}`;
}

/** @param variable the environment variable of the port */
export function cannotListen(host: string, port: number, variable: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
  const hint = reason === "EADDRINUSE" ? `; another process listens there: stop it, or set ${variable}` : "";
  return new HoldfastError("START_FAILED", `Cannot listen on ${host} port ${port} (${reason})${hint}`, {
    cause,
  });
}

/**
 * Returns every value of a header, in order. Node's `headersDistinct` does, too, but builds lists of all headers.
 *
 * @param name in lower case
 */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at] ?? "";
    if (sent.length === name.length && sent.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? "");
  }
  return values;
}

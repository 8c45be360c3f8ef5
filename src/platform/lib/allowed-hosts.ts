import { isIP } from "node:net";
import { z } from "zod";

/** A `Host` header, or one entry of `HOLDFAST_ALLOWED_HOSTS`. */
export interface HostName {
  /** In lower case, without a trailing dot; an IPv6 address in brackets. */
  readonly name: string;
  readonly port: string | undefined;
}

const HOST = /^(?:(\[[0-9a-f:.]{2,45}\])|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::(\d{0,5}))?$/;
const LENGTH_MAX = 262;

/** @returns undefined where the text is no host name or address with an optional port */
export function parseHost(text: string): HostName | undefined {
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
export function writeHost({ name, port }: HostName): string {
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

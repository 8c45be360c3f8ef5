import type { RedisOptions } from "ioredis";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { FailoverConnector, sentinelTimeouts } from "./cluster/sentinels.ts";

export type ConnectionOptions = Omit<RedisOptions, "replyMapping">;

const SENTINEL_FORM =
  "expected sentinel://[user:password@]host:port,host:port/MASTER[?db=N&tls=true&sentinelTls=true&sentinelUsername=…&sentinelPassword=…]";

/**
 * What `sentinel://…` says. The user and the password before the hosts are Redis's; the sentinels' own are in the query.
 *
 * @throws HoldfastError `CONFIG_INVALID`
 */
export function sentinelOptions(url: string): ConnectionOptions {
  const match = /^sentinel:\/\/(?:(.*)@)?([^@/?]+)\/([^@/?]+)(?:\?([^@]*))?$/s.exec(url);
  if (match === null) throw unreadable(SENTINEL_FORM);
  const [, userInfo = "", hosts = "", name = "", query = ""] = match;
  return {
    sentinels: hosts.split(",").map((host) => address(parseUrl(`redis://${host}`), 26_379)),
    name,
    Connector: FailoverConnector as NonNullable<RedisOptions["Connector"]>,
    ...sentinelTimeouts,
    ...credentials(parseUrl(`redis://${userInfo}@host`)),
    ...sentinelQuery(new URLSearchParams(query)),
  };
}

function sentinelQuery(query: URLSearchParams): ConnectionOptions {
  const options: ConnectionOptions = {};
  for (const [name, value] of query) {
    const isTrue = value === "true";
    if (name === "db" && /^\d+$/.test(value)) options.db = Number(value);
    else if (name === "sentinelUsername") options.sentinelUsername = value;
    else if (name === "sentinelPassword") options.sentinelPassword = value;
    else if (name === "tls" && isTrue) Object.assign(options, { tls: {}, enableTLSForSentinelMode: true });
    else if (name === "sentinelTls" && isTrue) options.sentinelTLS = {};
    else throw unreadable(SENTINEL_FORM);
  }
  return options;
}

/** What `unix://[user][:password]@/path` says. @throws HoldfastError `CONFIG_INVALID` */
export function socketOptions(url: string): ConnectionOptions {
  const { userInfo, path } = socketOf(url);
  return { path, ...credentials(parseUrl(`redis://${userInfo}host`)) };
}

/** Everything before the first `@/` is user and password, unless it contains a `/`. */
export function socketOf(url: string): { readonly userInfo: string; readonly path: string } {
  const [, userInfo = "", path = ""] = /^unix:\/\/([^/@]*@)?(.*)$/s.exec(url) ?? [];
  return { userInfo, path };
}

/** Where the servers are that a `REDIS_URL` names, sentinels included. */
export function placesOf(
  url: string,
): ({ readonly host: string; readonly port: number } | { readonly path: string })[] {
  if (url.startsWith("unix://")) return [{ path: socketOf(url).path }];
  if (url.startsWith("sentinel://"))
    return (sentinelOptions(url).sentinels ?? []).map(({ host = "", port = 26_379 }) => ({ host, port }));
  return nodesOf(url).map((node) => address(node, 6_379));
}

/** The nodes of a cluster, or the one server. */
export function nodesOf(url: string): URL[] {
  return url.split(",").map((node) => parseUrl(node.includes("://") ? node : `redis://${node}`));
}

export function credentials(url: URL | undefined): Pick<ConnectionOptions, "username" | "password"> {
  const username = decodeURIComponent(url?.username ?? "");
  const password = decodeURIComponent(url?.password ?? "");
  return { ...(username && { username }), ...(password && { password }) };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function addressName({ host, port }: Partial<Address>): string {
  return `${host}:${port}`;
}

export function address({ hostname, port }: URL, defaultPort: number): Address {
  // An IPv6 address has brackets in a URL, and nowhere else.
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || defaultPort) };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw unreadable("expected host:port");
  return new URL(text);
}

function unreadable(message: string): HoldfastError {
  return new HoldfastError("CONFIG_INVALID", `REDIS_URL: ${message}, got (hidden)`);
}

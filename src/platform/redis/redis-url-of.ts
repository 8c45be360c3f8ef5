import { HoldfastError } from "../errors/holdfast-error.ts";

interface Place {
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string | null;
}

interface ForeignOptions extends Place {
  readonly path?: string;
  readonly db?: number;
  readonly tls?: object | boolean;
  readonly name?: string;
  readonly sentinels?: readonly Place[] | null;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly sentinelTLS?: object;
  readonly redisOptions?: ForeignOptions;
}

/** An ioredis connection, of any version: what of it says where Redis is. */
export interface ForeignConnection {
  readonly options: object;
  readonly isCluster?: boolean;
  /** Of a cluster. */
  nodes?(role?: "master"): readonly { readonly options: object }[];
}

/**
 * The URL of the Redis that somebody's connection leads to.
 *
 * @throws HoldfastError `CONFIG_INVALID` where no URL can say that
 */
export function redisUrlOf(connection: ForeignConnection): string {
  const options: ForeignOptions | undefined = connection?.options;
  // Untyped code gives anything.
  if (typeof options !== "object") throw unclear("a connection of ioredis");
  if (connection.isCluster === true) {
    const nodes = connection.nodes?.("master").map((node): ForeignOptions => node.options) ?? [];
    if (nodes.length === 0) throw unclear("a cluster's connection that is ready, or REDIS_URL");
    return nodes.map((node) => serverUrl({ ...options.redisOptions, ...node })).join(",");
  }
  const { sentinels, name = "mymaster" } = options;
  if (sentinels == null || sentinels.length === 0) return serverUrl(options);
  const places = sentinels.map(({ host = "localhost", port = 26_379 }) => `${host}:${port}`);
  return `sentinel://${userOf(options)}${places.join(",")}/${name}${sentinelQuery(options)}`;
}

function sentinelQuery(options: ForeignOptions): string {
  const { db = 0, tls, sentinelTLS, sentinelUsername, sentinelPassword } = options;
  const query = new URLSearchParams({
    ...(db !== 0 && { db: String(db) }),
    ...(isPlainTls(tls) && { tls: "true" }),
    ...(isPlainTls(sentinelTLS) && { sentinelTls: "true" }),
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
  });
  return query.size === 0 ? "" : `?${query}`;
}

function serverUrl(options: ForeignOptions): string {
  const { host = "localhost", port = 6379, path, db = 0, tls } = options;
  if (typeof path === "string" && path !== "") {
    if (db !== 0) throw unclear("a connection by host and port for another database than 0, or REDIS_URL");
    return `unix://${userOf(options)}${path}`;
  }
  const scheme = isPlainTls(tls) ? "rediss" : "redis";
  const place = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${userOf(options)}${place}:${port}${db === 0 ? "" : `/${db}`}`;
}

/** Whether a connection is by TLS. @throws HoldfastError `CONFIG_INVALID` where a URL cannot say how */
function isPlainTls(tls: object | boolean | undefined): boolean {
  if (typeof tls === "object" && tls !== null && Object.keys(tls).length > 0)
    throw unclear(
      "a connection without TLS options of its own (NODE_EXTRA_CA_CERTS adds a certificate), or REDIS_URL",
    );
  return Boolean(tls);
}

function userOf({ username, password }: Place): string {
  if (password == null) return "";
  return `${encodeURIComponent(username ?? "")}:${encodeURIComponent(password)}@`;
}

function unclear(expected: string): HoldfastError {
  return new HoldfastError("CONFIG_INVALID", `connection: expected ${expected}`);
}

import type { Redis } from "ioredis";

/** The reply to INFO, by field. */
export type Info = ReadonlyMap<string, string>;

export async function readInfo(server: Redis): Promise<Info> {
  return parseInfo(await server.info());
}

export function parseInfo(text: string): Info {
  const fields = text.split("\r\n").map((line) => /^([^:]*):?(.*)$/s.exec(line) ?? []);
  return new Map(fields.map(([, name = "", value = ""]) => [name, value]));
}

/** A replica reports each second. One that hangs stays "online" for a minute. */
const SILENT_AFTER_S = 3;

/** How many replicas are online and not silent. */
export function onlineReplicas(info: Info): number {
  return replicaLines(info).filter(isOnline).length;
}

/** A master's line for each replica, such as `ip=10.0.0.2,port=6379,state=online`. */
export function replicaLines(info: Info): string[] {
  return [...info].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => value);
}

function isOnline(replica: string): boolean {
  const [, lag = "0"] = /lag=(\d+)/.exec(replica) ?? [];
  return replica.includes("state=online") && Number(lag) <= SILENT_AFTER_S;
}

/** The server's name and version, e.g. `Valkey 8.1.1`, whose `redis_version` is 7.2.4. */
export function versionOf(info: Info): string {
  const valkey = info.get("valkey_version");
  return valkey === undefined ? `Redis ${info.get("redis_version") ?? "(unknown)"}` : `Valkey ${valkey}`;
}

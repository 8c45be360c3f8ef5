import { Redis } from "ioredis";
import type { StatedSettings } from "../../config/stated-settings.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { type RedisConnection, serversOf } from "../connection.ts";
import { redisUnavailable } from "../redis-errors.ts";
import { readInfo } from "./info.ts";
import type { RedisCheck } from "./redis-check.ts";
import { checkSettings } from "./required-settings.ts";

/** What one replica would be as a master. */
export interface ReplicaChecks {
  readonly address: string;
  /** The settings that do not hold; undefined where it cannot be asked. */
  readonly flaws: readonly RedisCheck[] | undefined;
}

const ANSWERED_WITHIN_MS = 500;

/** Checks the settings of all replicas: any of them can be the master tomorrow. */
export async function checkReplicaSettings(
  client: RedisConnection,
  stated: StatedSettings,
): Promise<ReplicaChecks[]> {
  const checked = serversOf(client).map(async (master) => {
    const info = await readInfo(master);
    const replicas = [...info]
      .filter(([name]) => /^slave\d+$/.test(name))
      .map(([, value]) => addressIn(value));
    return await Promise.all(replicas.map((address) => checkReplica(master, address, stated)));
  });
  return (await Promise.all(checked)).flat();
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Of a line such as `ip=10.0.0.2,port=6379,state=online`. */
function addressIn(replica: string): Address {
  const [, host = ""] = /ip=([^,]*)/.exec(replica) ?? [];
  const [, port = "0"] = /port=(\d+)/.exec(replica) ?? [];
  return { host, port: Number(port) };
}

async function checkReplica(
  { options: { username, password, tls } }: Redis,
  { host, port }: Address,
  stated: StatedSettings,
): Promise<ReplicaChecks> {
  const replica = new Redis({
    host,
    port,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    connectTimeout: ANSWERED_WITHIN_MS,
    retryStrategy: () => null,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
  });
  replica.on("error", () => {});
  const address = `${host}:${port}`;
  try {
    const checking = checkSettings(replica, { isOnDisk: true, isFenced: false }, stated);
    const checks = await withDeadline(checking, ANSWERED_WITHIN_MS, redisUnavailable);
    return { address, flaws: checks.filter(({ holds }) => !holds) };
  } catch {
    return { address, flaws: undefined };
  } finally {
    replica.disconnect();
  }
}

import type { Protocol } from "../libraries.ts";
import { startMariadb } from "./mariadb.ts";
import { startMongodb } from "./mongodb.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import type { Database } from "./wire.ts";

/** By protocol. */
export type Databases = ReadonlyMap<Protocol, Database>;

const starts: Partial<Record<Protocol, () => Promise<Database>>> = {
  postgres: startPostgres,
  mysql: startMariadb,
  mongodb: startMongodb,
  redis: startRedis,
};

/** Starts those that these protocols need. */
export async function startDatabases(protocols: ReadonlySet<Protocol>): Promise<Databases> {
  const databases = new Map<Protocol, Database>();
  for (const protocol of protocols) {
    const database = await starts[protocol]?.();
    if (database !== undefined) databases.set(protocol, database);
  }
  return databases;
}

export async function stopDatabases(databases: Databases): Promise<void> {
  for (const database of databases.values()) await database.stop();
}

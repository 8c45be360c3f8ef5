import { Cluster } from "ioredis";
import { withOpenSlotGuard } from "../../../platform/redis/cluster/open-slot.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";

/** All workers of a process share its connection. */
const guarded = new WeakSet<RedisConnection>();

/** Makes a cluster refuse BullMQ's scripts on this connection while their slot is moving: they touch keys that they are not given. */
export function guardScripts(client: RedisConnection): RedisConnection {
  if (!(client instanceof Cluster) || guarded.has(client)) return client;
  guarded.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    const count = definition.numberOfKeys ?? 0;
    const inner = `${name}:guarded`;
    define(inner, { ...definition, numberOfKeys: count + 1 });
    const run: (args: readonly string[]) => unknown = Reflect.get(client, inner);
    // BullMQ calls its scripts with one list: the keys, then the other arguments.
    const runGuarded = (args: readonly string[]) =>
      run.call(client, [...withOpenSlotGuard(client, args.slice(0, count)), ...args.slice(count)]);
    Reflect.set(client, name, runGuarded);
  };
  return client;
}

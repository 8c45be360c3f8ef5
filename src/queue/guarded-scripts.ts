import { Cluster } from "ioredis";
import type { RedisConnection } from "../redis/connection.ts";
import { withOpenSlotGuard } from "../redis/open-slot.ts";

/** Makes a cluster refuse BullMQ's scripts on this connection while their slot is moving: they touch keys that they are not given. */
export function guardScripts(client: RedisConnection): RedisConnection {
  if (!(client instanceof Cluster)) return client;
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    const count = definition.numberOfKeys ?? 0;
    const guarded = `${name}:guarded`;
    define(guarded, { ...definition, numberOfKeys: count + 1 });
    const run: (args: readonly string[]) => unknown = Reflect.get(client, guarded);
    // BullMQ calls its scripts with one list: the keys, then the other arguments.
    const runGuarded = (args: readonly string[]) =>
      run.call(client, [...withOpenSlotGuard(client, args.slice(0, count)), ...args.slice(count)]);
    Reflect.set(client, name, runGuarded);
  };
  return client;
}

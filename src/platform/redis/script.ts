import { withOpenSlotGuard } from "./cluster/open-slot.ts";
import type { RedisConnection } from "./connection.ts";
import { readLua } from "./read-lua.ts";
import { declareScript, type Shape } from "./reply-shape.ts";

/** A Lua script, run in Redis as one atomic step. Its reply has the shape that it declares, or is never read. */
export interface Script<Reply = unknown> {
  run(client: RedisConnection, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /**
   * Returns the command for a pipeline.
   *
   * @param isWhole whether Redis gets the source, because it has answered that it does not know the digest
   */
  command(
    client: RedisConnection,
    keys: readonly string[],
    args: readonly (string | number)[],
    isWhole: boolean,
  ): RedisCommand;
}

export type RedisCommand = readonly (string | number)[];

/** The scripts that were sent as a whole over each connection. */
const sent = new WeakMap<RedisConnection, Set<string>>();

function sentOver(client: RedisConnection): Set<string> {
  const known = sent.get(client);
  if (known !== undefined) return known;
  const none = new Set<string>();
  sent.set(client, none);
  // It may reconnect to another Redis.
  client.on("close", () => none.clear());
  return none;
}

/**
 * Loads a script that touches only the keys that it is given. A cluster sends it to where they are, also while their slot is moving.
 *
 * @param moduleUrl the caller's `import.meta.url`
 * @param file the script's name in the same folder
 * @param shape what it replies
 */
export function loadDeclaringScript<Reply>(
  moduleUrl: string,
  file: string,
  shape: Shape<Reply>,
): Script<Reply> {
  return createScript(readLua(moduleUrl, file), shape, (_client, keys) => keys);
}

/**
 * Loads a script file. In a cluster Redis refuses the script while its slot is moving: it may touch keys that it is not given.
 *
 * A connection sends it as a whole once, and its digest from then on. Trying the digest first would save those bytes, but if Redis
 * did not know it, the next command would overtake it; an effect's report must not be overtaken.
 *
 * @param moduleUrl the caller's `import.meta.url`
 * @param file the script's name in the same folder
 * @param shape what it replies
 */
export function loadScript<Reply>(moduleUrl: string, file: string, shape: Shape<Reply>): Script<Reply> {
  return createScript(readLua(moduleUrl, file), shape, withOpenSlotGuard);
}

function createScript<Reply>(
  source: string,
  shape: Shape<Reply>,
  keysFor: typeof withOpenSlotGuard,
): Script<Reply> {
  const sha1 = declareScript(source, shape);
  // The connection lets no other reply through.
  const send = async (reply: Promise<unknown>) => (await reply) as Reply;
  return {
    async run(client, given, args) {
      const keys = keysFor(client, given);
      const known = sentOver(client);
      if (!known.has(sha1)) {
        known.add(sha1);
        return await send(client.eval(source, keys.length, ...keys, ...args));
      }
      try {
        return await send(client.evalsha(sha1, keys.length, ...keys, ...args));
      } catch (error) {
        // Redis's scripts were flushed, or it is another node of a cluster.
        if (!isNoScript(error)) throw error;
        return await send(client.eval(source, keys.length, ...keys, ...args));
      }
    },
    command(client, given, args, isWhole) {
      const keys = keysFor(client, given);
      const parts = [keys.length, ...keys, ...args];
      return isWhole ? ["eval", source, ...parts] : ["evalsha", sha1, ...parts];
    },
  };
}

export function isNoScript(answer: unknown): boolean {
  return answer instanceof Error && answer.message.startsWith("NOSCRIPT");
}

import { createHash } from "node:crypto";

declare const read: unique symbol;

/**
 * Whether a reply has the shape that is asked for, as it comes over the wire: texts are buffers.
 *
 * @typeParam Reply what the client makes of it
 */
export type Shape<Reply> = ((reply: unknown) => boolean) & { readonly [read]?: Reply };

function isText(reply: unknown): reply is string | Buffer {
  return Buffer.isBuffer(reply) || typeof reply === "string";
}

export const integer: Shape<number> = (reply) => typeof reply === "number";
export const text: Shape<string> = isText;
export const nothing: Shape<null> = (reply) => reply === null;
/** What nobody reads. */
export const anything: Shape<unknown> = () => true;
export const list: Shape<readonly unknown[]> = (reply) => Array.isArray(reply);

export function listOf<Item>(item: Shape<Item>): Shape<Item[]> {
  return (reply) => Array.isArray(reply) && reply.every(item);
}

export function either<First, Second>(first: Shape<First>, second: Shape<Second>): Shape<First | Second> {
  return (reply) => first(reply) || second(reply);
}

export function orNull<Reply>(shape: Shape<Reply>): Shape<Reply | null> {
  return (reply) => reply === null || shape(reply);
}

/** One of these texts. */
export function oneOf<Text extends string>(...texts: readonly Text[]): Shape<Text> {
  const longest = Math.max(...texts.map(({ length }) => length));
  return (reply) => isText(reply) && reply.length <= longest && texts.includes(String(reply) as Text);
}

type Items<Shapes extends readonly Shape<unknown>[]> = {
  -readonly [At in keyof Shapes]: Shapes[At] extends Shape<infer Item> ? Item : never;
};

/** A list of exactly these. */
export function tuple<const Shapes extends readonly Shape<unknown>[]>(
  ...shapes: Shapes
): Shape<Items<Shapes>> {
  return (reply) =>
    Array.isArray(reply) && reply.length === shapes.length && shapes.every((shape, at) => shape(reply[at]));
}

/** A list that begins with these, and goes on with others of one shape. */
export function begins<const Shapes extends readonly Shape<unknown>[], Rest>(
  first: Shapes,
  rest: Shape<Rest>,
): Shape<[...Items<Shapes>, ...Rest[]]> {
  return (reply) =>
    Array.isArray(reply) &&
    reply.length >= first.length &&
    reply.every((item, at) => (first[at] ?? rest)(item));
}

/** A list that ends with these, and begins with others of one shape. */
export function ends<Rest, Last>(rest: Shape<Rest>, last: Shape<Last>): Shape<[...Rest[], Last]> {
  return (reply) =>
    Array.isArray(reply) &&
    reply.length > 0 &&
    reply.every((item, at) => (at === reply.length - 1 ? last : rest)(item));
}

/** Name, value, name, value, …, an even number. */
const pairs: Shape<string[]> = (reply) => Array.isArray(reply) && reply.length % 2 === 0 && reply.every(text);

export const okReply = oneOf("OK");

/** JSON of a list, "[", or of an object, "{". */
export function json(start: "[" | "{"): Shape<string> {
  const first = start.charCodeAt(0);
  return (reply) =>
    Buffer.isBuffer(reply) ? reply[0] === first : typeof reply === "string" && reply.startsWith(start);
}

const texts = listOf(text);
const textOrNull = orNull(text);
const textsOrNulls = listOf(textOrNull);
const entries = listOf(tuple(text, orNull(texts)));

function all(shape: Shape<unknown>, names: string): [string, Shape<unknown>][] {
  return names.split(" ").map((name) => [name, shape]);
}

/** Of the commands that Holdfast and BullMQ read. */
const ofCommands: ReadonlyMap<string, Shape<unknown>> = new Map([
  ...all(
    integer,
    "del unlink exists hexists hlen hset hsetnx hdel hincrby incr incrby decr decrby llen lpush rpush lrem zcard zcount zrem zremrangebyscore zremrangebyrank scard sadd srem sismember publish spublish expire pexpire pexpireat ttl pttl strlen xlen xtrim xdel wait persist",
  ),
  ...all(textOrNull, "get getdel hget set lindex rpoplpush lmove"),
  ...all(either(textOrNull, integer), "zadd zscore zrank lpos"),
  ...all(textsOrNulls, "hmget mget"),
  ...all(texts, "lrange smembers hkeys hvals keys"),
  ...all(list, "zrange zrevrange zrangebyscore zrevrangebyscore zmscore"),
  ...all(pairs, "hgetall"),
  ...all(entries, "xrange xrevrange"),
  ...all(orNull(list), "xread exec bzpopmin"),
  ...all(tuple(text, list), "hscan sscan zscan scan"),
  ...all(tuple(text, text), "time"),
  ...all(okReply, "multi asking select auth hmset"),
  ...all(text, "info type"),
  ...all(tuple(integer, integer), "waitaof WAITAOF"),
  ...all(either(list, text), "config CONFIG"),
  ...all(orNull(either(list, text)), "SENTINEL"),
]);

const clusterShapes: ReadonlyMap<string, Shape<unknown>> = new Map([
  ...all(integer, "KEYSLOT COUNTKEYSINSLOT"),
  ...all(text, "NODES INFO MYID"),
  ...all(list, "SLOTS SHARDS"),
]);

/** Of scripts, by digest and by source. */
const ofScripts = new Map<unknown, Shape<unknown>>();

/** Declares what a script replies, however it is called. @returns its digest */
export function declareScript(source: string, shape: Shape<unknown>): string {
  const digest = createHash("sha1").update(source).digest("hex");
  ofScripts.set(digest, shape);
  ofScripts.set(source, shape);
  return digest;
}

export interface AskedCommand {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly inTransaction?: boolean;
}

const queued = oneOf("QUEUED");

/** The shape of a command's reply; undefined where nobody has declared it. */
export function shapeOf({ name, args, inTransaction }: AskedCommand): Shape<unknown> | undefined {
  if (inTransaction === true && name !== "exec" && name !== "multi") return queued;
  if (name === "evalsha" || name === "eval") return ofScripts.get(args[0]);
  if (name === "cluster" || name === "CLUSTER") return clusterShapes.get(String(args[0]).toUpperCase());
  return ofCommands.get(name);
}

/** Reads what Redis returns of a hash to a script or a scan: fields, each followed by its value. */
export function pairsOf(reply: readonly string[]): [field: string, value: string][] {
  const fields = reply.filter((_, at) => at % 2 === 0);
  return fields.map((field, at) => [field, reply[2 * at + 1] ?? ""]);
}

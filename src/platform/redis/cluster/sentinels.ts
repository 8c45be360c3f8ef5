import { isIP } from "node:net";
import { Redis, type SentinelConnectionOptions, SentinelConnector } from "ioredis";
import { mendServer } from "../mend-server.ts";
import { insideOf } from "./inside-of.ts";
import { own } from "./own-sockets.ts";

/** A sentinel that hangs, or that a firewall hides, is given up after this. */
export const SENTINEL_ANSWER_MS = 1_000;
const CONNECT_MS = 3_000;
const RECONNECT_MS = 1_000;
/** Sentinels that were added or replaced are listened to from then on. */
const RENEWED_EVERY_MS = 2_000;

/** Every connection to a Sentinel set has these. */
export const sentinelTimeouts = { sentinelCommandTimeout: SENTINEL_ANSWER_MS, connectTimeout: CONNECT_MS };

/**
 * ioredis only says that all sentinels are unreachable, even if they answer that they know no such master. What each of them said comes
 * before, as an event.
 */
export function explainSentinels(client: Redis, onError: (error: Error) => void): (error: Error) => void {
  let said: string[] = [];
  client.on("sentinelError", ({ message }: Error) => said.push(message));
  return (error) => {
    const isAboutSentinels = error.message.startsWith("All sentinels are unreachable");
    onError(isAboutSentinels ? sentinelsFailed(said, client.options.name ?? "") : error);
    said = [];
  };
}

function sentinelsFailed(said: readonly string[], name: string): Error {
  if (said.some((message) => /NOAUTH|WRONGPASS|invalid password/.test(message)))
    return new Error("SENTINELAUTH");
  if (said.some((message) => /certificate|altnames|EPROTO|ERR_SSL|ERR_TLS/.test(message)))
    return new Error("SENTINELTLS");
  if (said.length > 0 && said.every((message) => /No such master|invalid reply: null/.test(message)))
    return new Error(`NOMASTER ${name}`);
  return new Error(`No sentinel names the master: ${said.join("; ")}`);
}

/** A client for each sentinel that is known. */
export function sentinelClients(options: SentinelConnectionOptions): Redis[] {
  return (options.sentinels ?? []).map((address) => sentinelClient(options, address));
}

export type SentinelAddress = NonNullable<SentinelConnectionOptions["sentinels"]>[number];

export function sentinelClient(options: SentinelConnectionOptions, { host, port }: SentinelAddress): Redis {
  const { sentinelUsername: username, sentinelPassword: password, sentinelTLS: tls } = options;
  const client = own(
    new Redis({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls !== undefined && { tls }),
      connectTimeout: CONNECT_MS,
      commandTimeout: SENTINEL_ANSWER_MS,
      // Sentinels refuse the commands of a ready check, and forget nothing that would have to be loaded.
      enableReadyCheck: false,
      autoResubscribe: false,
      enableOfflineQueue: false,
      disableClientInfo: true,
      maxRetriesPerRequest: 0,
      retryStrategy: () => RECONNECT_MS,
    }),
  );
  client.on("error", () => {});
  mendServer(client);
  return client;
}

/**
 * Finds the master, and leaves it as soon as a sentinel reports another one. In a planned failover the old master still takes
 * writes for 10 s, and all of them are lost.
 *
 * ioredis' own detector is not used: it prints to the console while a sentinel is away, it reacts to other sets, and it lets
 * commands that are under way be acknowledged.
 */
export class FailoverConnector extends SentinelConnector {
  readonly #watches = new Map<string, Redis>();
  #timer: NodeJS.Timeout | undefined;

  constructor(...args: ConstructorParameters<typeof SentinelConnector>) {
    super(...args);
    sayWhy(insideOf<Resolver>(this, "connectToSentinel", "resolve"));
  }

  override async connect(
    onEvent: Parameters<SentinelConnector["connect"]>[0],
  ): ReturnType<SentinelConnector["connect"]> {
    // The list is shared, and kept up to date; what ioredis made of it is not.
    for (const sentinel of this.options.sentinels ?? [])
      insideOf<Resolver>(this, "sentinelIterator").sentinelIterator.add(sentinel);
    const stream = await super.connect(onEvent);
    this.#watchAll();
    this.#timer ??= setInterval(() => this.#watchAll(), RENEWED_EVERY_MS).unref();
    return stream;
  }

  override disconnect(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const sentinel of this.#watches.values()) sentinel.disconnect();
    this.#watches.clear();
    super.disconnect();
  }

  /** Listens to each sentinel that is known now. */
  #watchAll(): void {
    const known = new Map((this.options.sentinels ?? []).map((it) => [`${it.host}:${it.port}`, it]));
    for (const [name, sentinel] of this.#watches) {
      if (known.has(name)) continue;
      sentinel.disconnect();
      this.#watches.delete(name);
    }
    for (const [name, address] of known)
      if (!this.#watches.has(name))
        this.#watches.set(name, this.#watch(sentinelClient(this.options, address)));
  }

  #watch(sentinel: Redis): Redis {
    const { name = "" } = this.options;
    sentinel.on("message", (_, message: string) => {
      const [of, , , host = "", port = ""] = message.split(" ");
      if (of === name && !this.#isAt(host, port)) this.#leave();
    });
    // Another master may have been announced before this sentinel was listened to.
    sentinel.on("ready", () => {
      const asked = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name) as Promise<string[] | null>;
      sentinel.subscribe("+switch-master").catch(() => {});
      asked.then(
        (master) => {
          const [host = "", port = ""] = master ?? [];
          if (isIP(host) !== 0 && !this.#isAt(host, port)) this.#leave();
        },
        () => {},
      );
    });
    return sentinel;
  }

  #isAt(host: string, port: string): boolean {
    return normal(this.stream.remoteAddress) === normal(host) && String(this.stream.remotePort) === port;
  }

  /** The client then connects anew. What is under way must not be acknowledged, so nothing is waited for. */
  #leave(): void {
    this.stream.destroy();
  }
}

/** What ioredis does with each sentinel, though its types hide it. */
interface Resolver {
  readonly sentinelIterator: { add(sentinel: SentinelAddress): void };
  connectToSentinel(...args: readonly unknown[]): Redis;
  resolve(endpoint: unknown): Promise<unknown>;
}

/** ioredis only says that the connection was closed, and not why: a certificate that is not trusted, for one. */
function sayWhy(resolver: Resolver): void {
  const connect = resolver.connectToSentinel.bind(resolver);
  const resolve = resolver.resolve.bind(resolver);
  let why: Error | undefined;
  resolver.connectToSentinel = (...args) => {
    const sentinel = connect(...args);
    sentinel.on("error", (error) => {
      why = error;
    });
    return sentinel;
  };
  resolver.resolve = async (endpoint) => {
    why = undefined;
    try {
      return await resolve(endpoint);
    } catch (error) {
      throw why ?? error;
    }
  };
}

/** An IPv6 address in the one way that a socket spells it; an IPv4 address that IPv6 carries, as itself. */
function normal(host = ""): string {
  const short = isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
  return short.replace(/^::ffff:(?=\d+\.)/, "");
}

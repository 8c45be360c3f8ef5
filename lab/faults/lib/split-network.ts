import { appendFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";

/** One of the two halves of a network that splits. */
export type Side = "left" | "right";

/**
 * The network between servers, and between them and processes: each server is reached over a port of its own here, also by the other
 * servers. Whoever signs in as `left` is on the left, and everybody else on the right.
 */
export interface SplitNetwork {
  /** Starts a server, and opens its port, which it announces. */
  readonly launch: typeof startRedisServer;
  /** From now on this server and the left can reach each other alone, and so can all others. Nothing is closed; nothing passes. */
  split(left: Pick<RedisServer, "port">): void;
  /** What was sent meanwhile arrives. */
  heal(): void;
  /** When the left first sent something to this server after an instant; both in milliseconds since 1970. */
  leftMet(server: Pick<RedisServer, "port">, after: number): number | undefined;
  stop(): Promise<void>;
}

/** How those on the left sign in. */
export const LEFT = { name: "left", password: "left", rights: ["on", ">left", "~*", "&*", "+@all"] } as const;
const LEFT_MARK = "\r\nleft\r\n";

interface Meeting {
  readonly by: Side;
  readonly port: number;
  readonly at: number;
}

interface Network {
  /** The port of the server that is alone with the left; undefined while the network is whole. */
  alone: number | undefined;
  readonly links: Set<Link>;
  readonly meetings: Meeting[];
}

export function createSplitNetwork(): SplitNetwork {
  const network: Network = { alone: undefined, links: new Set(), meetings: [] };
  const ports: Server[] = [];
  const change = (alone: number | undefined) => {
    network.alone = alone;
    for (const link of network.links) link.flush();
  };
  return {
    async launch(options = {}) {
      let target = 0;
      const open = createServer((client) => new Link(network, client, portOf(open), target));
      await new Promise<void>((resolve) => open.listen(0, "127.0.0.1", resolve));
      ports.push(open);
      const port = portOf(open);
      const server = await startRedisServer(await announcing(options, port));
      target = server.port;
      return Object.create(server, { port: { value: port } }) as RedisServer;
    },
    split: ({ port }) => change(port),
    heal: () => change(undefined),
    leftMet: ({ port }, after) =>
      network.meetings.find((seen) => seen.by === "left" && seen.port === port && seen.at > after)?.at,
    async stop() {
      for (const link of network.links) link.destroy();
      await Promise.all(ports.map((open) => new Promise((resolve) => open.close(resolve))));
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

type Options = NonNullable<Parameters<typeof startRedisServer>[0]>;

/** A sentinel announces itself by its file. */
async function announcing(options: Options, port: number): Promise<Options> {
  const { sentinelFile, args = [] } = options;
  if (sentinelFile === undefined)
    return { ...options, args: [...args, "--replica-announce-port", String(port)] };
  await appendFile(sentinelFile, `sentinel announce-ip 127.0.0.1\nsentinel announce-port ${port}\n`);
  return options;
}

/** A connection to a server, and what it holds back in each direction. */
class Link {
  readonly #network: Network;
  readonly #client: Socket;
  readonly #store: Socket;
  readonly #port: number;
  #by: Side | undefined;
  #toStore: Buffer[] = [];
  #toClient: Buffer[] = [];
  #hasPassed = false;
  #isEnded = false;

  constructor(network: Network, client: Socket, port: number, target: number) {
    this.#network = network;
    this.#client = client;
    this.#port = port;
    this.#store = connect(target, "127.0.0.1");
    network.links.add(this);
    for (const socket of [client, this.#store]) {
      socket.on("error", () => {});
      socket.on("close", () => this.#end());
    }
    client.on("data", (chunk) => {
      // Whoever signs in does so first.
      this.#by ??= chunk.includes(LEFT_MARK) ? "left" : "right";
      this.#toStore.push(chunk);
      this.flush();
    });
    this.#store.on("data", (chunk) => {
      this.#toClient.push(chunk);
      this.flush();
    });
  }

  get #isOpen(): boolean {
    const { alone } = this.#network;
    return alone === undefined || (this.#by === "left") === (this.#port === alone);
  }

  /** Passes on what may pass. */
  flush(): void {
    if (!this.#isOpen) return;
    if (!this.#hasPassed && this.#by !== undefined) {
      this.#hasPassed = true;
      this.#network.meetings.push({ by: this.#by, port: this.#port, at: Date.now() });
    }
    for (const chunk of this.#toStore.splice(0)) this.#store.write(chunk);
    for (const chunk of this.#toClient.splice(0)) this.#client.write(chunk);
    if (this.#isEnded) this.#close();
  }

  destroy(): void {
    this.#client.destroy();
    this.#store.destroy();
    this.#network.links.delete(this);
  }

  /** The other end hears of it when the network is whole, after what was sent before. */
  #end(): void {
    this.#isEnded = true;
    if (this.#isOpen) this.#close();
  }

  #close(): void {
    this.#client.end();
    this.#store.end();
    this.#network.links.delete(this);
  }
}

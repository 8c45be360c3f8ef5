import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * How the network behaves.
 *
 * `delayed`: each answer comes `ms` late. `black hole`: nothing passes in either direction until the network is open again.
 * `half-open`: Redis's end of each connection is gone and the client's does not notice; that connection stays silent
 * forever, and only new ones work once the network is open again.
 */
export type Network =
  | { readonly kind: "open" }
  | { readonly kind: "delayed"; readonly ms: number }
  | { readonly kind: "black hole" }
  | { readonly kind: "half-open" };

/** A proxy between clients and Redis that can lose or delay traffic. */
export interface StoreProxy {
  readonly url: string;
  /**
   * Loses the next command that contains `text`, or its reply, and closes the connection.
   *
   * `reply`: Redis has run the command, but its answer is lost. `command`: it does not reach Redis.
   */
  lose(what: "reply" | "command", text: string): void;
  /** How many commands or replies were lost. */
  readonly lost: number;
  /** Changes the network from now on. */
  become(network: Network): void;
  stop(): Promise<void>;
}

interface Traffic {
  network: Network;
  order: { what: "reply" | "command"; text: string } | undefined;
  lost: number;
  readonly pairs: Set<Pair>;
}

/** A client's connection, and the matching one to Redis. */
interface Pair {
  /** The network has changed. */
  change(): void;
  close(): void;
}

export async function startProxy(targetPort: number): Promise<StoreProxy> {
  const traffic: Traffic = { network: { kind: "open" }, order: undefined, lost: 0, pairs: new Set() };
  const server = createServer((client) => pairUp(client, connect(targetPort, "127.0.0.1"), traffic));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `redis://127.0.0.1:${port}`,
    lose(what, text) {
      traffic.order = { what, text };
    },
    get lost() {
      return traffic.lost;
    },
    become(network) {
      traffic.network = network;
      for (const pair of traffic.pairs) pair.change();
    },
    async stop() {
      for (const pair of traffic.pairs) pair.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pairUp(client: Socket, store: Socket, traffic: Traffic): void {
  let losesReply = false;
  let isStuck = false;
  const toStore = openLane(store, traffic);
  const toClient = openLane(client, traffic);
  const pair: Pair = {
    change() {
      isStuck ||= traffic.network.kind === "half-open";
      if (isStuck) return void store.destroy();
      toStore.change();
      toClient.change();
    },
    close() {
      client.destroy();
      store.destroy();
      traffic.pairs.delete(pair);
    },
  };
  traffic.pairs.add(pair);
  for (const socket of [client, store]) socket.on("error", () => {});
  client.on("close", pair.close);
  store.on("close", () => {
    if (!isStuck) pair.close();
  });
  client.on("data", (chunk) => {
    if (isStuck) return;
    const { order } = traffic;
    if (order === undefined || !chunk.includes(order.text)) return toStore.send(chunk);
    traffic.lost += 1;
    traffic.order = undefined;
    if (order.what === "command") return pair.close();
    losesReply = true;
    return toStore.send(chunk);
  });
  store.on("data", (chunk) => {
    if (losesReply) pair.close();
    else toClient.send(chunk, traffic.network.kind === "delayed" ? traffic.network.ms : 0);
  });
  pair.change();
}

/** One direction of a connection. Chunks arrive in order, however late. */
function openLane(to: Socket, traffic: Traffic) {
  let held: Buffer[] = [];
  let late = Promise.resolve();
  let pending = 0;
  const pass = (chunk: Buffer) => {
    if (traffic.network.kind === "black hole") held.push(chunk);
    else if (to.writable) to.write(chunk);
  };
  return {
    send(chunk: Buffer, delayMs = 0) {
      if (delayMs === 0 && pending === 0) return pass(chunk);
      const dueAt = performance.now() + delayMs;
      pending += 1;
      late = late.then(async () => {
        await sleep(Math.max(0, dueAt - performance.now()));
        pending -= 1;
        pass(chunk);
      });
    },
    change() {
      const chunks = held;
      held = [];
      for (const chunk of chunks) pass(chunk);
    },
  };
}

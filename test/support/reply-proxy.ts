import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "./test-scope.ts";

/** A proxy to Redis that holds replies back, loses one or adds one: Redis has run the commands. */
export interface ReplyProxy {
  readonly url: string;
  /** Holds back the replies to some connections, chosen by what they have sent, until `pass()`. */
  holdBack(isMeant: (sent: string) => boolean): void;
  /** Loses what Redis sends next, and leaves the connection open. @returns resolves when it is lost */
  loseNext(): Promise<void>;
  /** Lets everything through again, but for what it holds back: those connections are closed. */
  cut(): void;
  /** Adds to what Redis has sent to each connection. */
  add(reply: string): void;
  /** Lets everything through again. */
  pass(): void;
  /** Whether this reply was let through. */
  hasPassed(text: string): boolean;
}

interface Pair {
  readonly client: Socket;
  readonly store: Socket;
  sent: string;
  held: Buffer[];
}

/** Ends with the test. */
export async function startReplyProxy(storeUrl: string): Promise<ReplyProxy> {
  const { hostname, port } = new URL(storeUrl);
  const pairs = new Set<Pair>();
  let passed = "";
  let lose: (() => void) | undefined;
  let isHeldBack = (_sent: string) => false;
  const server = createServer((client) => {
    const pair: Pair = { client, store: connect(Number(port), hostname), sent: "", held: [] };
    pairs.add(pair);
    client.on("data", (chunk) => {
      pair.sent += chunk.toString("latin1");
      pair.store.write(chunk);
    });
    pair.store.on("data", (chunk) => {
      if (lose !== undefined) {
        lose();
        lose = undefined;
        return;
      }
      if (isHeldBack(pair.sent)) return void pair.held.push(chunk);
      passed += chunk.toString("latin1");
      client.write(chunk);
    });
    for (const socket of [client, pair.store]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        closePair(pair);
        pairs.delete(pair);
      });
    }
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const pair of pairs) closePair(pair);
    server.close();
  });
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    holdBack(isMeant) {
      isHeldBack = isMeant;
    },
    loseNext: () =>
      new Promise((resolve) => {
        lose = resolve;
      }),
    cut() {
      isHeldBack = () => false;
      for (const pair of pairs) if (pair.held.length > 0) closePair(pair);
    },
    add(reply) {
      for (const { client } of pairs) client.write(reply);
    },
    pass() {
      isHeldBack = () => false;
      for (const pair of pairs) for (const chunk of pair.held.splice(0)) pair.client.write(chunk);
    },
    hasPassed: (text) => passed.includes(text),
  };
}

function closePair({ client, store }: Pair): void {
  client.destroy();
  store.destroy();
}

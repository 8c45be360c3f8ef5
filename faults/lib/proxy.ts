import { connect, createServer, type Socket } from "node:net";

/** Stands between one client and the store, and can lose what passes. */
export interface Proxy {
  readonly url: string;
  /**
   * Loses something of the next command that contains `text`, and closes the connection.
   *
   * `reply`: the store has run the command, and its answer does not arrive. `command`: it does not reach the store.
   */
  lose(what: "reply" | "command", text: string): void;
  /** How often something was lost. */
  readonly lost: number;
  stop(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<Proxy> {
  let order: { what: "reply" | "command"; text: string } | undefined;
  let lost = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const store = connect(targetPort, "127.0.0.1");
    let losesReply = false;
    const close = () => {
      client.destroy();
      store.destroy();
    };
    for (const socket of [client, store]) {
      sockets.add(socket);
      socket.on("error", close);
      socket.on("close", () => {
        sockets.delete(socket);
        close();
      });
    }
    client.on("data", (chunk) => {
      if (order === undefined || !chunk.includes(order.text)) return void store.write(chunk);
      lost += 1;
      const { what } = order;
      order = undefined;
      if (what === "command") return close();
      losesReply = true;
      return void store.write(chunk);
    });
    store.on("data", (chunk) => {
      if (losesReply) close();
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `redis://127.0.0.1:${port}`,
    lose(what, text) {
      order = { what, text };
    },
    get lost() {
      return lost;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

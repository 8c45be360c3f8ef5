// A connection to Redis that loses one reply: the command is carried out, and its sender never hears of it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Cut {
  readonly url: string;
  /** Loses the reply to the next command that contains this text, closes all connections, and refuses new ones for a while. */
  loseReplyTo(text: string, awayMs: number): void;
  stop(): void;
}

export async function startCut(redisUrl: string): Promise<Cut> {
  const { hostname, port: redisPort } = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let meant: { readonly text: string; readonly awayMs: number } | undefined;
  let listening: NodeJS.Timeout | undefined;

  const server = createServer((client) => {
    const redis = connect(Number(redisPort), hostname);
    let isMeant = false;
    client.on("data", (chunk) => {
      isMeant ||= meant !== undefined && chunk.includes(meant.text);
      redis.write(chunk);
    });
    redis.on("data", (chunk) => {
      if (isMeant) loseIt();
      else client.write(chunk);
    });
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        redis.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  function loseIt(): void {
    const { awayMs = 0 } = meant ?? {};
    meant = undefined;
    closeAll();
    listening = setTimeout(() => server.listen(port, "127.0.0.1"), awayMs);
  }

  function closeAll(): void {
    server.close();
    for (const socket of sockets) socket.destroy();
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    loseReplyTo: (text, awayMs) => {
      meant = { text, awayMs };
    },
    stop: () => {
      clearTimeout(listening);
      closeAll();
    },
  };
}

import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A proxy that serves a service under a path. */
export interface StrippingProxy {
  /** The service's URL, such as `http://127.0.0.1:1234/ops`. */
  readonly url: string;
  /** Hangs up on everybody, and answers 502 until `goOn()`. */
  cut(): void;
  goOn(): void;
  stop(): Promise<void>;
}

/** Strips a prefix off each path, as reverse proxies do, and leaves no other trace. */
export async function startStrippingProxy(target: string, prefix: string): Promise<StrippingProxy> {
  let isMutated = false;
  const server = createServer((asked, answer) => {
    const path = asked.url ?? "";
    if (isMutated || !path.startsWith(prefix)) {
      answer.writeHead(isMutated ? 502 : 404, { "content-type": "text/html" }).end("<h1>Not here</h1>");
      return;
    }
    const { method, headers } = asked;
    const forwarded = request(new URL(path.slice(prefix.length) || "/", target), {
      method,
      headers,
      agent: false,
    });
    forwarded.on("error", () => answer.destroy());
    forwarded.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    answer.on("close", () => forwarded.destroy());
    asked.pipe(forwarded);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    cut() {
      isMutated = true;
      server.closeAllConnections();
    },
    goOn() {
      isMutated = false;
    },
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

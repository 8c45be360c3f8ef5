import { isIP } from "node:net";
import { type Redis, SentinelConnector } from "ioredis";
import { sentinelClients } from "./sentinels.ts";

/**
 * Finds the master, and leaves it as soon as a sentinel reports another one. In a planned failover the old master still takes
 * writes for 10 s, and all of them are lost.
 *
 * ioredis' own detector is not used: it prints to the console while a sentinel is away, it reacts to other sets, and it lets
 * commands that are under way be acknowledged.
 */
export class FailoverConnector extends SentinelConnector {
  #watches: readonly Redis[] = [];

  override async connect(
    onEvent: Parameters<SentinelConnector["connect"]>[0],
  ): ReturnType<SentinelConnector["connect"]> {
    const stream = await super.connect(onEvent);
    if (this.#watches.length === 0)
      this.#watches = sentinelClients(this.options).map((sentinel) => this.#watch(sentinel));
    return stream;
  }

  override disconnect(): void {
    for (const sentinel of this.#watches) sentinel.disconnect();
    this.#watches = [];
    super.disconnect();
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
    return this.stream.remoteAddress === host && String(this.stream.remotePort) === port;
  }

  /** The client then connects anew. What is under way must not be acknowledged, so nothing is waited for. */
  #leave(): void {
    this.stream.destroy();
  }
}

import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { openSubscriber, type RedisConnection } from "../../platform/redis/connection.ts";

export interface ChannelListener {
  readonly channel: string;
  onMessage(message: string): void;
  /** Messages can have been lost before: the connection is new, or has followed the channel to another master. */
  onSubscribed(): void;
}

const subscribers = new WeakMap<RedisConnection, SharedSubscriber>();

/** Listens to a channel, over one connection for all channels of a process; in a cluster, one to each master that has some. */
export function listen(client: RedisConnection, listener: ChannelListener): Running {
  const subscriber = subscribers.get(client) ?? new SharedSubscriber(client);
  subscribers.set(client, subscriber);
  subscriber.add(listener);
  return {
    stop: stopOnce(async () => {
      if (subscriber.remove(listener) === 0) subscribers.delete(client);
    }),
  };
}

class SharedSubscriber {
  readonly #connection: RedisConnection;
  readonly #listeners = new Set<ChannelListener>();

  constructor(client: RedisConnection) {
    this.#connection = openSubscriber(client);
    // The other connection's owner reports errors.
    this.#connection.on("error", () => {});
    this.#connection.on("smessage", (channel: string, message: string) => {
      for (const listener of this.#listeners) if (listener.channel === channel) listener.onMessage(message);
    });
    this.#connection.on("ready", () => {
      for (const listener of this.#listeners) this.#subscribe(listener);
    });
    this.#connection.on("subscribersReady", () => {
      for (const listener of this.#listeners) listener.onSubscribed();
    });
  }

  add(listener: ChannelListener): void {
    this.#listeners.add(listener);
    if (this.#connection.status === "ready") this.#subscribe(listener);
  }

  /** @returns how many listeners are left; without any, the connection is closed */
  remove(listener: ChannelListener): number {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#connection.disconnect();
    return this.#listeners.size;
  }

  #subscribe(listener: ChannelListener): void {
    this.#connection.ssubscribe(listener.channel).then(
      () => listener.onSubscribed(),
      () => {},
    );
  }
}

import { Redis } from "ioredis";
import type { RedisServer } from "../../test/support/redis-server.ts";

/** The laboratory's own hand on a store. Fails soon where that is not there. */
export async function withHand<T>(
  { url }: Pick<RedisServer, "url">,
  use: (hand: Redis) => Promise<T>,
): Promise<T> {
  const hand = new Redis(url, { maxRetriesPerRequest: 1 });
  // What it was used for fails.
  hand.on("error", () => {});
  try {
    return await use(hand);
  } finally {
    hand.disconnect();
  }
}

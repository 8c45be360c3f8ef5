import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { sentinelOptions } from "./redis-url.ts";
import { redisUrlOf } from "./redis-url-of.ts";

const sentinels = [{ host: "a", port: 1 }, { host: "b" }];

/** A connection that never connects. */
const connection = (options: object) => new Redis({ ...options, lazyConnect: true });

describe("the URL of somebody's connection", () => {
  it.each([
    [{ host: "a", port: 1, db: 3 }, "redis://a:1/3"],
    [{ host: "::1", username: "u", password: "p@" }, "redis://u:p%40@[::1]:6379"],
    [{ host: "a", tls: {} }, "rediss://a:6379"],
    [{ path: "/run/redis.sock" }, "unix:///run/redis.sock"],
    [{ sentinels, name: "main" }, "sentinel://a:1,b:26379/main"],
  ])("of %j", (options, url) => {
    expect(redisUrlOf(connection(options))).toBe(url);
  });

  it("names database, TLS and the sentinels' own user of a Sentinel set", () => {
    const options = { db: 2, tls: {}, sentinelTLS: {}, sentinelUsername: "watch", sentinelPassword: "p@ss" };

    const url = redisUrlOf(
      connection({ sentinels, name: "main", enableTLSForSentinelMode: true, ...options }),
    );

    expect(sentinelOptions(url)).toMatchObject(options);
  });

  it.each([
    [{ path: "/run/redis.sock", db: 3 }],
    [{ host: "a", tls: { ca: "x" } }],
    [{ sentinels, name: "main", tls: { ca: "x" } }],
    [{ sentinels, name: "main", sentinelTLS: { ca: "x" } }],
  ])("is refused where no URL can say it: %j", (options) => {
    expect(() => redisUrlOf(connection(options))).toThrow(/^connection: expected .*or REDIS_URL$/);
  });
});

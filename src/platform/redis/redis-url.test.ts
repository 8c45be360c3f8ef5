import { describe, expect, it } from "vitest";
import { sentinelOptions } from "./redis-url.ts";

describe("sentinel://…", () => {
  it("names sentinels and a master", () => {
    expect(sentinelOptions("sentinel://a:1,b/main")).toMatchObject({
      sentinels: [
        { host: "a", port: 1 },
        { host: "b", port: 26_379 },
      ],
      name: "main",
    });
  });

  it("has Redis's user before the hosts, and the sentinels' own user and TLS in the query", () => {
    const query = "db=2&tls=true&sentinelTls=true&sentinelUsername=watch&sentinelPassword=p%40ss";

    expect(sentinelOptions(`sentinel://jobs:s%2Fcret@a:1/main?${query}`)).toMatchObject({
      username: "jobs",
      password: "s/cret",
      db: 2,
      tls: {},
      enableTLSForSentinelMode: true,
      sentinelUsername: "watch",
      sentinelPassword: "p@ss",
      sentinelTLS: {},
    });
  });

  it.each([
    "sentinel://a:1",
    "sentinel://a:1/",
    "sentinel://a:1/main?tls=yes",
    "sentinel://a:1/main?db=x",
    "sentinel://a:1/main?sentinelpassword=hunter2",
    "sentinel://a:1/main?sentinelPassword=hunter@2",
  ])("is refused without showing it: %s", (url) => {
    expect(() => sentinelOptions(url)).toThrow(/^REDIS_URL: expected sentinel:\/\/.*, got \(hidden\)$/);
  });
});

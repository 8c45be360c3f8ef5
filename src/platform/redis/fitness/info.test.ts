import { describe, expect, it } from "vitest";
import { onlineReplicas, parseInfo, versionOf } from "./info.ts";

const redis =
  "# Server\r\nredis_version:8.0.2\r\n# Replication\r\nslave0:ip=::1,port=1,state=online,offset=7,lag=0\r\nslave1:ip=::1,port=2,state=wait_bgsave,offset=0,lag=0\r\nslave2:ip=::1,port=3,state=online,offset=0,lag=4\r\n";

describe("the reply to INFO", () => {
  it("names Redis, and Valkey by its own version", () => {
    expect(versionOf(parseInfo(redis))).toBe("Redis 8.0.2");
    expect(
      versionOf(parseInfo("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n")),
    ).toBe("Valkey 8.1.1");
  });

  it("keeps values that contain colons, and counts the replicas that are in sync", () => {
    const info = parseInfo(redis);

    expect(info.get("slave0")).toBe("ip=::1,port=1,state=online,offset=7,lag=0");
    expect(onlineReplicas(info)).toBe(1);
  });
});

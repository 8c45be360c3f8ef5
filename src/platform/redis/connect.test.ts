import { describe, expect, it } from "vitest";
import { addressIn } from "./connect.ts";

describe("the address of a store that cannot be reached", () => {
  it.each([
    ["redis://127.0.0.1:6379", "127.0.0.1:6379"],
    ["rediss://default:hunter2@redis.example.com:6380/2", "redis.example.com:6380/2"],
    ["redis://:hunter2@a:1,b:2,c:3", "a:1,b:2,c:3"],
    ["redis://a:b/hunter2@x@redis.example.com", "redis.example.com"],
    ["redis://:hunter2@a:1,redis://:hunter2@b:2", "b:2"],
    ["redis://redis.example.com?password=hunter2", "redis.example.com"],
    ["sentinel://user:hunter2@a:1,b:2/main?db=1", "a:1,b:2/main"],
    ["sentinel://a:1,b:2/main?sentinelPassword=hunter2&tls=true", "a:1,b:2/main"],
    ["sentinel://a:1,b:2/main?sentinelPassword=hunter@2", "(hidden)"],
    ["redis://:hunter?2@a:1", "(hidden)"],
    ["unix:///run/redis@home/redis.sock", "/run/redis@home/redis.sock"],
    ["unix://:hunter2@/run/redis.sock", "/run/redis.sock"],
    ["redis://[::1]:6379", "[::1]:6379"],
  ])("in %s is %s, whatever a password looks like", (url, address) => {
    expect(addressIn(url)).toBe(address);
  });
});

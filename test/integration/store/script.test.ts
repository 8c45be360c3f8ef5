import { once } from "node:events";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { integer } from "../../../src/platform/redis/reply-shape.ts";
import { loadScript } from "../../../src/platform/redis/script.ts";
import { startRedisServer } from "../../support/redis-server.ts";

const append = loadScript(import.meta.url, "../../support/fixtures/append.lua", integer);
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function connect(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => 20 });
  client.on("error", () => {});
  ends.push(() => client.disconnect());
  return client;
}

describe("a script", () => {
  it("is not overtaken by later commands, even if Redis has never seen it", async () => {
    const server = await startRedisServer();
    ends.push(() => server.stop());
    const client = connect(server.url);

    void append.run(client, ["list"], ["script"]);
    await client.rpush("list", "behind");

    expect(await client.lrange("list", 0, -1)).toEqual(["script", "behind"]);
  });

  it("is sent in full once, then by its digest", async () => {
    const server = await startRedisServer();
    ends.push(() => server.stop());
    const client = connect(server.url);

    for (let call = 0; call < 5; call += 1) await append.run(client, ["list"], ["x"]);

    const stats = await client.info("commandstats");
    expect(stats).toMatch(/^cmdstat_eval:calls=1,/m);
    expect(stats).toMatch(/^cmdstat_evalsha:calls=4,.*failed_calls=0/m);
  });

  it("is sent in full again after a lost connection, and after SCRIPT FLUSH", async () => {
    const server = await startRedisServer();
    ends.push(() => server.stop());
    const client = connect(server.url);
    await append.run(client, ["list"], ["a"]);

    client.disconnect(true);
    await once(client, "ready");
    void append.run(client, ["list"], ["b"]);
    await client.script("FLUSH");
    await append.run(client, ["list"], ["c"]);

    expect(await client.lrange("list", 0, -1)).toEqual(["a", "b", "c"]);
  });
});

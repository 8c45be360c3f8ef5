import slotOf from "cluster-key-slot";
import type { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { slotStateOf } from "../../../src/platform/redis/cluster/slot-guard.ts";
import { type ConnectionMode, openConnection, whenReady } from "../../../src/platform/redis/connection.ts";
import { integer } from "../../../src/platform/redis/reply-shape.ts";
import { loadScript, type Script } from "../../../src/platform/redis/script.ts";
import { openWriters } from "../../../src/platform/redis/writers.ts";
import { startResharding } from "../../support/open-slot.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { until } from "../../support/until.ts";

const append = loadScript(import.meta.url, "../../support/fixtures/append.lua", integer);
/** A plain command in a script's place. */
const set: Script = {
  run: (client, [key = ""], [value = ""]) => client.set(key, value),
  command: (_, [key = ""], [value = ""]) => ["set", key, value],
};

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

async function connect(mode: ConnectionMode = "fail-fast") {
  const client = openConnection(cluster.url, mode, () => {}) as Cluster;
  onTestFinished(() => client.disconnect());
  await whenReady(client, 5_000);
  return client;
}

/** Keys of one master, each in a slot of its own. */
function keysOfOneMaster(client: Cluster, count: number): string[] {
  const names = Array.from({ length: 1_000 }, (_, index) => `{queue-${index}}:${crypto.randomUUID()}`);
  const master = client.slots[slotOf(names[0] ?? "")]?.[0];
  return names.filter((name) => client.slots[slotOf(name)]?.[0] === master).slice(0, count);
}

describe("a pipeline to a master of a cluster", () => {
  it("travels in one piece while a slot of it is looked up, so that each reply is that of its command", async () => {
    const client = await connect();
    const [known = "", unknown = ""] = keysOfOneMaster(client, 2);
    await client.set(known, "of the known slot");

    const written = client
      .pipeline([
        ["set", unknown, "1"],
        ["wait", 1, 5_000],
        ["get", unknown],
      ])
      .exec();
    const between = [
      client.get(known),
      client
        .pipeline([
          ["get", known],
          ["exists", known],
        ])
        .exec(),
    ];

    expect(await written).toEqual([
      [null, "OK"],
      [null, 1],
      [null, "1"],
    ]);
    expect(await Promise.all(between)).toEqual([
      "of the known slot",
      [
        [null, "of the known slot"],
        [null, 1],
      ],
    ]);
  });

  it("confirms nothing that a replica does not have, the first write to a slot included", async () => {
    const client = await connect();
    const [key = ""] = keysOfOneMaster(client, 1);
    const { replica } = await cluster.shardOf("", key.slice(1, key.indexOf("}")));
    const writers = await openWriters(client, { level: "replica", replicas: 1 });
    onTestFinished(() => writers.stop());
    process.kill(replica.pid, "SIGSTOP");
    onTestFinished(() => void process.kill(replica.pid, "SIGCONT"));

    const { unconfirmed } = await writers.write(set, [key], ["some value"]);

    expect(unconfirmed?.message).toBe("0 of 1 replica confirmed in time");
  });

  it("of writes to an open slot and others is refused as a whole, and the others are sent again", async () => {
    const client = await connect("retrying");
    const [first = "", moving = "", other = ""] = keysOfOneMaster(client, 3);
    // One more than there are: `WAIT` holds back what comes behind for as long as it may.
    const writers = await openWriters(client, { level: "replica", replicas: 2 });
    onTestFinished(() => writers.stop());
    for (const key of [first, moving, other]) await client.rpush(key, "known");

    const waits = writers.write(append, [first], ["x"]);
    const together = [writers.write(append, [moving], ["x"]), writers.write(append, [other], ["x"])] as const;
    const resharding = startResharding(cluster.shards.map(({ master }) => master.url));
    onTestFinished(() => resharding.stop());
    const slot = await resharding.open(moving);
    await until("it is known that the slot is open", async () => {
      return (await slotStateOf(client, slotOf(moving))).kind === "moving";
    });

    await expect(together[0]).rejects.toThrow(/^TRYAGAIN /);
    expect((await together[1]).reply).toBe(2);
    await waits;
    await slot.close();
    expect(await client.lrange(moving, 0, -1)).toEqual(["known"]);
  });
});

import { connect, type Socket } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { post } from "../../support/http.ts";
import { fixCluster, startResharding } from "../../support/open-slot.ts";
import { launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import type { RedisServer } from "../../support/redis-server.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
const JOBS = 20;
/** Longer than an answer of the masters is believed. */
const SLEEP_MS = 6_000;
/** No test moves them, so that what tells of a loss stays behind. */
const staysBehind = (key: string) => key.endsWith(":epoch") || key.endsWith(":meta");

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster({ args: NODE_TIMEOUT });
}, 120_000);
afterAll(() => cluster?.stop());

async function ask(server: RedisServer, command: string, ...args: string[]): Promise<string> {
  const client = new Redis(server.url);
  try {
    return String(await client.call(command, ...args));
  } finally {
    client.disconnect();
  }
}

const isMaster = async (server: RedisServer) =>
  (await ask(server, "INFO", "replication")).includes("role:master");

/** Promotes a replica by hand: its master lives on, and so do the connections to it. */
async function promote(replica: RedisServer, master: RedisServer) {
  await until("the replica is promoted", async () => {
    await ask(replica, "CLUSTER", "FAILOVER").catch(() => {});
    return (await isMaster(replica)) && !(await isMaster(master));
  });
  await until("the other follows it", async () =>
    (await ask(master, "INFO", "replication")).includes("master_link_status:up"),
  );
}

/** Sends a request which a process that sleeps finds when it wakes. @returns its answer's status and body */
async function sendTo(url: string, method: string, path: string, body?: unknown) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const json = body === undefined ? "" : JSON.stringify(body);
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(json)}`,
    "connection: close",
  ];
  await new Promise<void>((resolve) => socket.write(`${head.join("\r\n")}\r\n\r\n${json}`, () => resolve()));
  return { answer: answerOn(socket) };
}

async function answerOn(socket: Socket) {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  return { status: Number(head.split(" ")[1]), body: JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? "null") };
}

describe("a process that sleeps", withProcesses, () => {
  it("looks again which master has all keys of a slot, before its first command", async () => {
    const service = createService(application, { REDIS_URL: cluster.url, HOLDFAST_DURABILITY: "replica:1" });
    const api = await launchRole("api", service.env);
    const url = urlOf(api);
    const ids = new Map<string, string>();
    for (const key of Array.from({ length: JOBS }, (_, index) => `key-${index}`)) {
      const { status, body } = await post(`${url}/jobs`, {
        type: "echo",
        idempotencyKey: key,
        payload: null,
      });
      expect(status).toBe(202);
      ids.set(key, body.id);
    }
    const [, queue = ""] = /^([^_]+)_/.exec([...ids.values()][0] ?? "") ?? [];
    const { master, replica } = await cluster.shardOf(service.env.HOLDFAST_PREFIX, queue);

    api.kill("SIGSTOP");
    const sleepsUntil = performance.now() + SLEEP_MS;
    const resharding = startResharding(cluster.shards.map(({ master: { url } }) => url));
    onTestFinished(() => resharding.stop());
    const slot = await resharding.open(`${service.env.HOLDFAST_PREFIX}:{${queue}}:`);
    await slot.moveShare(1, staysBehind);
    await promote(replica, master);
    await promote(master, replica);
    await until("it has slept for long enough", () => performance.now() >= sleepsUntil);
    const reads = await Promise.all([...ids.values()].map((id) => sendTo(url, "GET", `/jobs/${id}`)));
    const again = await Promise.all(
      [...ids.keys()].map((key) =>
        sendTo(url, "POST", "/jobs", { type: "echo", idempotencyKey: key, payload: null }),
      ),
    );
    api.kill("SIGCONT");

    const answers = await Promise.all([...reads, ...again].map(({ answer }) => answer));
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([503]);

    await fixCluster(master.port);
    await until("the queue is used again", async () => {
      const { status } = await post(`${url}/jobs`, { type: "echo", idempotencyKey: "key-0", payload: null });
      return status === 200 || status === 202;
    });
    for (const [key, id] of ids)
      expect((await post(`${url}/jobs`, { type: "echo", idempotencyKey: key, payload: null })).body.id).toBe(
        id,
      );
  });
});

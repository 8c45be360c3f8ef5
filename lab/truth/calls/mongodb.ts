import { MongoClient } from "mongodb";
import { connection } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<MongoClient>();

function open({ host, port, timeoutMs }: Target, isDocumented: boolean): MongoClient {
  const times = { serverSelectionTimeoutMS: timeoutMs, socketTimeoutMS: timeoutMs };
  return new MongoClient(`mongodb://${host}:${port}/`, {
    directConnection: true,
    ...times,
    ...(isDocumented && { retryWrites: false }),
  });
}

async function send(target: Target, isDocumented: boolean): Promise<unknown> {
  const client = kept.of(target.port, () => open(target, isDocumented));
  try {
    const order = { name: `row-${target.port}`, ...(target.ask === "refused" && { refuse: true }) };
    const { insertedId } = await client.db("truth").collection("orders").insertOne(order);
    return insertedId.toString();
  } finally {
    void client.close().catch(() => {});
  }
}

export const calls: Calls = {
  asIs: (target) => send(target, false),
  asDocumented: (target) => send(target, true),
  classify: connection,
  warmUp: (target, isDocumented) =>
    kept.keep(target.port, open(target, isDocumented)).db("truth").command({ ping: 1 }),
};

import { createServer, type Socket } from "node:net";
import { BSON } from "mongodb";
import { listen } from "./downstream.ts";
import type { Database } from "./wire.ts";

/** Just enough of MongoDB's protocol for one insert: no package has the server. It recognises a write that is sent again, as a replica set does. */
export async function startMongodb(): Promise<Database> {
  const written = new Map<string, number>();
  const writes = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    let unread = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= HEADER && unread.length >= unread.readInt32LE(0)) {
        const message = unread.subarray(0, unread.readInt32LE(0));
        unread = unread.subarray(message.length);
        socket.write(answer(message, insert));
      }
    });
  });
  const insert = (command: Command) => {
    const [order] = command.documents ?? [];
    if (order?.refuse) return { n: 0, ok: 1, writeErrors: [{ index: 0, code: 121, errmsg: "no" }] };
    const write = `${JSON.stringify(command.lsid)} ${command.txnNumber}`;
    const isRepeat = command.txnNumber !== undefined && writes.has(write);
    writes.add(write);
    if (order !== undefined && !isRepeat) written.set(order.name, (written.get(order.name) ?? 0) + 1);
    return { n: 1, ok: 1 };
  };
  const port = await listen(server);
  return {
    port,
    count: async (name) => written.get(name) ?? 0,
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Order {
  readonly name: string;
  readonly refuse?: boolean;
}

interface Command {
  readonly insert?: string;
  readonly documents?: readonly Order[];
  readonly lsid?: unknown;
  readonly txnNumber?: unknown;
}

const HEADER = 16;
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

const hello = {
  helloOk: true,
  isWritablePrimary: true,
  ismaster: true,
  setName: "truth",
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: 21,
  ok: 1,
};

function answer(message: Buffer, insert: (command: Command) => object): Buffer {
  const request = message.readInt32LE(4);
  // Only the first hello of a connection still comes as a query.
  if (message.readInt32LE(12) === OP_QUERY) {
    const fields = Buffer.alloc(20);
    fields.writeInt32LE(1, 16);
    return framed(OP_REPLY, request, Buffer.concat([fields, BSON.serialize(hello)]));
  }
  const command = commandOf(message);
  const reply = command.insert === undefined ? hello : insert(command);
  return framed(OP_MSG, request, Buffer.concat([Buffer.alloc(5), BSON.serialize(reply)]));
}

function framed(code: number, request: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeInt32LE(HEADER + body.length, 0);
  header.writeInt32LE(request, 8);
  header.writeInt32LE(code, 12);
  return Buffer.concat([header, body]);
}

/** The command's document, with the sequence of documents that may follow it. */
function commandOf(message: Buffer): Command {
  const start = HEADER + 5;
  const length = message.readInt32LE(start);
  const command = BSON.deserialize(message.subarray(start, start + length)) as Command;
  const next = start + length;
  if (next >= message.length || message[next] !== 1) return command;
  const documents = message.indexOf(0, next + 5) + 1;
  const size = message.readInt32LE(documents);
  const order = BSON.deserialize(message.subarray(documents, documents + size)) as Order;
  return { ...command, documents: [order] };
}

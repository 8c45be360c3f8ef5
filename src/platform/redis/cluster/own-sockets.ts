import type { Socket } from "node:net";
import { Cluster, type Redis } from "ioredis";

type RedisConnection = Redis | Cluster;

/** The connections of this process to its Redis. */
const connections = new Set<RedisConnection>();
const known = new WeakMap<Socket, boolean>();

/** Marks a connection as one of Holdfast's own, whose commands are no effects. */
export function own<Client extends RedisConnection>(client: Client): Client {
  connections.add(client);
  client.once("end", () => connections.delete(client));
  return client;
}

/** Whether Holdfast itself talks to its Redis on this socket. */
export function isOwnSocket(socket: Socket): boolean {
  const answer = known.get(socket);
  if (answer !== undefined) return answer;
  const isOwn = [...connections].some((client) => serversOf(client).some(({ stream }) => stream === socket));
  known.set(socket, isOwn);
  return isOwn;
}

function serversOf(client: RedisConnection) {
  return client instanceof Cluster ? client.nodes("all") : [client];
}

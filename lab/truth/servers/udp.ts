import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Fault } from "../faults/fault.ts";
import type { Acts } from "./acts.ts";
import { type Downstream, freePort } from "./downstream.ts";

export const udpFaults: readonly Fault<never>[] = [{ name: "reads a datagram", acts: true }];

/** Acts on each datagram, and answers none. */
export async function openUdp(_fault: Fault<never>, _library: string, acts: Acts): Promise<Downstream> {
  const socket = createSocket("udp4").on("message", () => acts.act());
  const port = await freePort();
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return { host: "127.0.0.1", port, protocol: "http", stop: async () => void socket.close() };
}

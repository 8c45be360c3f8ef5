import { createSocket } from "node:dgram";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";

/** A datagram, which nobody answers. */
async function send({ host, port }: Target): Promise<unknown> {
  const socket = createSocket("udp4");
  return await new Promise((resolve, reject) => {
    socket.send(JSON.stringify(order), port, host, (error) => {
      socket.close();
      if (error === null) resolve("sent");
      else reject(error);
    });
  });
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

import type { Redis } from "ioredis";
import { insideOf } from "./cluster/inside-of.ts";

interface Inside {
  setSocketTimeout(): void;
  socketTimeoutTimer: NodeJS.Timeout | undefined;
  readonly commandQueue: { readonly length: number };
}

/**
 * Reads what has arrived before a server counts as silent. ioredis closes the connection in the turn in which its `socketTimeout` has
 * passed: in a process that was busy for that long, every answer has come by then, and all of them would be lost.
 */
export function readBeforeGivingUp(server: Redis): void {
  const inside = insideOf<Inside>(server, "setSocketTimeout", "commandQueue");
  inside.setSocketTimeout = () => {
    const { stream } = server;
    const ms = server.options.socketTimeout;
    const giveUp = () => {
      if (inside.socketTimeoutTimer !== timer) return;
      inside.socketTimeoutTimer = undefined;
      stream.destroy(new Error(`Socket timeout: no answer within ${ms} ms`));
    };
    const timer = setTimeout(() => setImmediate(giveUp), ms);
    inside.socketTimeoutTimer = timer;
    stream.once("data", () => {
      clearTimeout(timer);
      if (inside.socketTimeoutTimer === timer) inside.socketTimeoutTimer = undefined;
      if (inside.commandQueue.length > 0) inside.setSocketTimeout();
    });
  };
}

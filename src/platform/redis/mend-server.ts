import type { Redis } from "ioredis";
import { checkReplies } from "./check-replies.ts";
import { readBeforeGivingUp } from "./silence.ts";

/** What ioredis's connection to one server gets wrong, also of those that are made from it. */
export function mendServer(server: Redis): void {
  checkReplies(server);
  readBeforeGivingUp(server);
  const duplicate = server.duplicate.bind(server);
  server.duplicate = (...args) => {
    const other = duplicate(...args);
    mendServer(other);
    return other;
  };
}

import { createHash } from "node:crypto";
import { INTERNAL_QUEUE } from "../../src/core/job/internal-queue.ts";
import type { Service } from "./service.ts";

/**
 * What a process writes without being asked: the epoch of its own queue soon after its start, that it is alive and with which keys, and
 * the history five seconds after a submission.
 */
const BY_ITSELF = new RegExp(`\\{${INTERNAL_QUEUE}\\}:epoch$|\\{encryption\\}:\\w+$|\\}:history:[hm]:\\d+$`);

/** Everything under a service's prefix in Redis that requests can change, as one text to compare. */
export async function storeContents(service: Service): Promise<string> {
  const client = service.connect();
  const found = await client.keys(`${service.env.HOLDFAST_PREFIX}:*`);
  const keys = found.filter((key) => !BY_ITSELF.test(key)).sort();
  const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
  client.disconnect();
  return keys.map((key, index) => `${key} ${digest(dumps[index])}`).join("\n");
}

function digest(dump: Buffer | null | undefined): string {
  return createHash("sha256")
    .update(dump ?? "")
    .digest("hex");
}

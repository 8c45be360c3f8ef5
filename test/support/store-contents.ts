import { createHash } from "node:crypto";
import { INTERNAL_QUEUE } from "../../src/job/internal-queue.ts";
import type { Service } from "./service.ts";

/** Everything under a service's prefix in Redis, as one text to compare; without the epoch that an API begins by itself soon after its start. */
export async function storeContents(service: Service): Promise<string> {
  const client = service.connect();
  const found = await client.keys(`${service.env.HOLDFAST_PREFIX}:*`);
  const keys = found.filter((key) => !key.endsWith(`{${INTERNAL_QUEUE}}:epoch`)).sort();
  const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
  client.disconnect();
  return keys.map((key, index) => `${key} ${digest(dumps[index])}`).join("\n");
}

function digest(dump: Buffer | null | undefined): string {
  return createHash("sha256")
    .update(dump ?? "")
    .digest("hex");
}

import { createHash } from "node:crypto";
import type { Service } from "./service.ts";

/** Everything under a service's prefix in Redis, as one text to compare. */
export async function storeContents(service: Service): Promise<string> {
  const client = service.connect();
  const keys = (await client.keys(`${service.env.HOLDFAST_PREFIX}:*`)).sort();
  const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
  client.disconnect();
  return keys.map((key, index) => `${key} ${digest(dumps[index])}`).join("\n");
}

function digest(dump: Buffer | null | undefined): string {
  return createHash("sha256")
    .update(dump ?? "")
    .digest("hex");
}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { StoreClient } from "./client.ts";

/** A Lua script that lies beside its caller, run as one atomic step in the store. */
export interface Script {
  run(client: StoreClient, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

/**
 * Loads a script file.
 *
 * @param moduleUrl the caller's `import.meta.url`
 * @param file the script's name in the same folder
 */
export function loadScript(moduleUrl: string, file: string): Script {
  const source = readFileSync(new URL(file, moduleUrl), "utf8");
  const sha1 = createHash("sha1").update(source).digest("hex");
  return {
    async run(client, keys, args) {
      try {
        return await client.evalsha(sha1, keys.length, ...keys, ...args);
      } catch (error) {
        // A store that was restarted or flushed has forgotten its scripts; EVAL teaches it again.
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return await client.eval(source, keys.length, ...keys, ...args);
      }
    },
  };
}

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { startRedisServer } from "./redis-server.ts";

const ACL = fileURLToPath(new URL("../../ops/redis/holdfast.acl", import.meta.url));

/** A Redis with only the documented user, and a second connection with all rights. */
export interface LimitedStore {
  /** With the user's name and password. */
  readonly url: string;
  /** With all rights; connects when used. */
  readonly admin: Redis;
  stop(): Promise<void>;
}

/** @param tls the TLS-only port, and its files */
export async function startLimitedStore(tls?: {
  readonly port: number;
  readonly args: readonly string[];
}): Promise<LimitedStore> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-acl-"));
  const file = path.join(folder, "users.acl");
  const documented = await readFile(ACL, "utf8");
  await writeFile(file, `${documented}user default off\nuser admin on >secret ~* &* +@all\n`);
  const server = await startRedisServer({ ...tls, args: ["--aclfile", file, ...(tls?.args ?? [])] });
  const admin = new Redis(server.url.replace("//", "//admin:secret@"), { lazyConnect: true });
  return {
    url: server.url.replace("//", "//holdfast:change-me@"),
    admin,
    async stop() {
      admin.disconnect();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

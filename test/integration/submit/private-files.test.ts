import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { spawnEmbeddedStore } from "../../../src/edges/cli/system/embedded-store.ts";
import { claimDataDirectory } from "../../../src/edges/cli/system/local-system.ts";
import { epochFile } from "../../../src/platform/redis/fitness/epoch-file.ts";
import { until } from "../../support/until.ts";

async function parentDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-private-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** All files that Holdfast writes to its data directory. */
async function writeAll(dataDir: string): Promise<void> {
  const claim = claimDataDirectory(dataDir);
  onTestFinished(() => claim.stop());
  epochFile(dataDir, "redis://store", "holdfast").write(new Map([["default", { id: "one", count: 1 }]]));
  const mailbox = await startMailbox({ directory: join(dataDir, "mailbox"), smtpPort: 0, pagePort: 0 });
  await mailbox.stop();
  const store = spawnEmbeddedStore(dataDir);
  const ended = new Promise((resolve) => store.once("close", resolve));
  await until("Redis has its socket", async () =>
    (await readdir(join(dataDir, "store"))).includes("redis.sock"),
  );
  store.kill();
  await ended;
}

/** Permissions of others: none on private files, and no access below a private directory. */
async function openToOthers(directory: string): Promise<string[]> {
  const { mode } = await stat(directory);
  const open = (mode & 0o077) === 0 ? [] : [directory];
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !directory.endsWith("/store"));
  for (const { name } of files) {
    if (((await stat(join(directory, name))).mode & 0o777) !== 0o600) open.push(join(directory, name));
  }
  const below = entries.filter((entry) => entry.isDirectory() && !directory.endsWith("/store"));
  return [
    ...open,
    ...(await Promise.all(below.map(({ name }) => openToOthers(join(directory, name))))).flat(),
  ];
}

describe("files that Holdfast writes to its data directory", () => {
  it.each([0o000, 0o022])("are private to its user, with a umask of %o", async (umask) => {
    const dataDir = join(await parentDirectory(), "data");
    const before = process.umask(umask);
    onTestFinished(() => void process.umask(before));

    await writeAll(dataDir);

    expect((await readdir(dataDir)).sort()).toEqual(["epochs", "mailbox", "store", "up.pid"]);
    expect(await openToOthers(dataDir)).toEqual([]);
  });

  it("become private if an earlier version left them open, but an existing directory does not", async () => {
    const dataDir = await parentDirectory();
    await chmod(dataDir, 0o755);
    for (const name of ["epochs", "mailbox", "store"]) {
      await mkdir(join(dataDir, name));
      await chmod(join(dataDir, name), 0o777);
      await writeFile(join(dataDir, name, "old.json"), "{}", { mode: 0o644 });
    }
    await writeFile(join(dataDir, "up.pid"), "0", { mode: 0o644 });

    await writeAll(dataDir);

    expect(await openToOthers(dataDir)).toEqual([dataDir]);
  });
});

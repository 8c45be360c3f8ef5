import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { testEnvironment } from "../../support/service.ts";

const run = promisify(execFile);

/** The CommonJS modules, which those of other packages are, that a process has loaded when this has run, and how long that took. */
async function loaded(code: string): Promise<{ readonly files: string[]; readonly ms: number }> {
  const program = `
    import module from "node:module";
    const begun = performance.now();
    ${code};
    const ms = performance.now() - begun;
    console.log(JSON.stringify({ ms, files: Object.keys(module._cache) }));
    process.exit();`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, ...testEnvironment() },
  });
  return JSON.parse(stdout);
}

async function median(code: string): Promise<number> {
  const times: number[] = [];
  while (times.length < 5) times.push((await loaded(code)).ms);
  return times.sort((a, b) => a - b)[2] ?? Number.NaN;
}

describe("holdfast/guard", () => {
  it("costs a process less to import than ioredis, which it loads when a guard is opened", async () => {
    const guard = await median(`await import("holdfast/guard")`);
    expect(guard).toBeLessThan(1.05 * (await median(`await import("ioredis")`)));
  });

  it("loads no BullMQ, neither then nor with an open guard", async () => {
    const open = `
      const { createGuard, defineEffect } = await import("holdfast/guard");
      const effect = defineEffect({ name: "act", timeoutMs: 5_000, inDoubt: "hold" });
      const guard = await createGuard({ effects: [effect] });
      await guard.once(effect, { key: "k" }, async () => 1);
      await guard.stop()`;
    const ofBullmq = async (code: string) =>
      (await loaded(code)).files.filter((file) => /vendor\/bullmq|node_modules\/bullmq/.test(file));
    expect(await ofBullmq(open)).toEqual([]);
    // A worker loads it, and that is seen.
    const worker = `await (await import("holdfast/worker")).startWorker({}, { HOLDFAST_PREFIX: "!" }).catch(() => {})`;
    expect(await ofBullmq(worker)).not.toEqual([]);
  });
});

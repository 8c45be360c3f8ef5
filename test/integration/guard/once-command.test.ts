import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** A command that appends a line to a file, prints, and ends with a code. */
async function script(body = "") {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-once-"));
  const [file, acts] = [join(folder, "act.sh"), join(folder, "acts")];
  await writeFile(acts, "");
  await writeFile(file, `echo "$HOLDFAST_EFFECT_KEY" >> ${acts}\necho printed\n${body}\n`);
  const count = async () => (await readFile(acts, "utf8")).split("\n").filter(Boolean).length;
  return { command: ["sh", file], count };
}

describe("holdfast once", withProcesses, () => {
  it("runs a command once, and prints again what it printed", async () => {
    const env = testEnvironment();
    const { command, count } = await script();
    const once = (...more: readonly string[]) =>
      run(["once", "bill", "--key", "k", "--", ...command, ...more], env);

    expect(await once()).toMatchObject({ code: 0, stdout: "printed\n" });
    expect(await once()).toMatchObject({ code: 0, stdout: "printed\n" });
    expect(await count()).toBe(1);
    expect(await once("--other")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("other content"),
    });
  });

  it("keeps as much as a result may have of an output that is no text", async () => {
    const env = testEnvironment();
    const once = () => run(["once", "dump", "--key", "k", "--", "head", "-c", "9000", "/dev/zero"], env);

    expect(await once()).toMatchObject({ code: 0, stdout: "\0".repeat(9_000) });
    expect(await once()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\0{1000,}$/) });
  });

  it("ends with the command's code, and then in doubt", async () => {
    const env = testEnvironment();
    const { command, count } = await script("exit 7");
    const once = () => run(["once", "bill", "--key", "k", "--", ...command], env);

    expect(await once()).toMatchObject({
      code: 7,
      stderr: expect.stringContaining("holdfast doubts resolve"),
    });
    expect(await once()).toMatchObject({ code: 4 });
    expect(await count()).toBe(1);
  });

  it("runs again after a code that says that nothing happened", async () => {
    const env = testEnvironment();
    const { command, count } = await script("exit 7");
    const once = () => run(["once", "bill", "--key", "k", "--not-done", "1,7", "--", ...command], env);

    expect(await once()).toMatchObject({ code: 7 });
    expect(await once()).toMatchObject({ code: 7 });
    expect(await count()).toBe(2);
    const missing = ["once", "bill", "--key", "m", "--", "/no/such/command"];
    expect(await run(missing, env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("could not be started"),
    });
    expect(await run(missing, env)).toMatchObject({ code: 1 });
  });

  it("is busy meanwhile, and in doubt when its process was killed in the middle", async () => {
    const env = testEnvironment();
    const { command, count } = await script("exec sleep 600");
    const args = ["once", "bill", "--key", "k", "--timeout", "1500ms", "--", ...command];
    const first = launch(args, env);
    await until("it runs", async () => (await count()) === 1);
    expect(await run(args, env)).toMatchObject({ code: 75 });
    first.kill("SIGKILL");
    await until("it is in doubt", async () => (await run(args, env)).code === 4);
    expect(await count()).toBe(1);
  });

  it("ends a command whose time is over", async () => {
    const env = testEnvironment();
    const { command, count } = await script("exec sleep 600");
    const args = ["once", "bill", "--key", "k", "--timeout", "300ms", "--", ...command];
    expect((await run(args, env)).code).not.toBe(0);
    expect(await run(args, env)).toMatchObject({ code: 4 });
    expect(await count()).toBe(1);
  });

  it("says how it is called", async () => {
    const env = testEnvironment();
    for (const wrong of [
      ["--timeout", "soon"],
      ["--not-done", "x"],
      ["--wait", "1"],
    ])
      expect(await run(["once", "bill", "--key", "k", ...wrong, "--", "true"], env)).toMatchObject({
        code: 2,
      });
  });
});

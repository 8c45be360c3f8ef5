import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
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
  return { command: ["sh", file], count, folder };
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

  it("is used wrongly with a name that no effect can have", async () => {
    expect(await run(["once", "Bill it", "--key", "k", "--", "true"], testEnvironment())).toMatchObject({
      code: 2,
      stderr:
        'name: expected 1 to 64 lower-case letters, digits and dashes, starting with a letter, got "Bill it"\n',
    });
  });

  it("keeps as much as a result may have of an output that is no text", async () => {
    const env = testEnvironment();
    const once = () => run(["once", "dump", "--key", "k", "--", "head", "-c", "9000", "/dev/zero"], env);

    expect(await once()).toMatchObject({ code: 0, stdout: "\0".repeat(9_000) });
    expect(await once()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\0{1000,}$/) });
  });

  it("is done when its command has ended, though what that has started keeps its output open", async () => {
    const env = testEnvironment();
    const { command, count, folder } = await script('sleep 600 &\necho $! > "$(dirname "$0")/left"');
    onTestFinished(async () => {
      process.kill(Number(await readFile(join(folder, "left"), "utf8")));
    });
    const args = ["once", "start", "--key", "k", "--timeout", "10s", "--", ...command];

    expect(await run(args, env)).toMatchObject({ code: 0, stdout: "printed\n" });
    expect(await run(args, env)).toMatchObject({ code: 0, stdout: "printed\n" });
    expect(await count()).toBe(1);
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

  it("takes a signal that ended the command for no code of its own", async () => {
    const env = testEnvironment();
    const { command, count } = await script("kill -TERM $$");
    const once = () => run(["once", "bill", "--key", "k", "--not-done", "143", "--", ...command], env);

    expect(await once()).toMatchObject({ code: 143 });
    expect(await once()).toMatchObject({ code: 4 });
    expect(await count()).toBe(1);
  });

  // As a command that `sudo` runs: only root can make one.
  it.runIf(process.getuid?.() === 0)("waits for a command that it may send no signal", async () => {
    const env = testEnvironment();
    const { command, count, folder } = await script('read line < "$(dirname "$0")/gate"');
    execFileSync("mkfifo", [join(folder, "gate")]);
    for (const file of [folder, join(folder, "acts"), join(folder, "gate")]) await chmod(file, 0o777);
    const stranger = ["setpriv", "--reuid=1", "--clear-groups", ...command];
    const args = ["once", "bill", "--key", "k", "--", ...stranger];
    const first = run(args, env);
    await until("it runs", async () => (await count()) === 1);
    process.seteuid?.(2);
    process.emit("SIGTERM");
    process.seteuid?.(0);
    await writeFile(join(folder, "gate"), "go on\n");

    expect(await first).toMatchObject({ code: 0 });
    expect(await run(args, env)).toMatchObject({ code: 0, stdout: "printed\n" });
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

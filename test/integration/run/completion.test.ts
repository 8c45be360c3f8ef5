import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";

/** What bash offers for a line, after it has run the script. */
function offered(script: string, line: string): string[] {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync("bash", ["--norc", "-c", `${script}\n${ask}`], { encoding: "utf8" });
  return printed.split("\n").filter((word) => word !== "");
}

describe("holdfast completion", withProcesses, () => {
  it("offers commands, options and values in bash", async () => {
    const { code, stdout: script } = await run(["completion", "bash"], {});

    expect(code).toBe(0);
    expect(offered(script, "holdfast sch")).toEqual(["scheduler", "schedules"]);
    expect(offered(script, "holdfast jobs ")).toEqual(expect.arrayContaining(["list", "retry", "cancel"]));
    expect(offered(script, "holdfast jobs list --state ")).toContain("prioritized");
    expect(offered(script, "holdfast jobs list --st")).toEqual(["--state"]);
    expect(offered(script, "holdfast jobs list --json --ty")).toEqual(["--type"]);
    expect(offered(script, "holdfast submit ")).toEqual(expect.arrayContaining(["--key"]));
    expect(offered(script, "holdfast ")).not.toContain("check-application");
  });

  it("offers the job types of the application in the folder", async () => {
    const config = new URL("../../../holdfast.config.ts", import.meta.url).pathname;
    const { stdout: script } = await run(["completion", "bash"], { HOLDFAST_CONFIG: config });

    expect(offered(script, "holdfast submit we")).toEqual(["welcome-email", "webhook"]);
    expect(offered(script, "holdfast jobs list --type da")).toEqual(["daily-digest"]);
  });

  it.each(["zsh", "fish"])("prints a script for %s, without an application as well", async (shell) => {
    const { code, stdout } = await run(["completion", shell], { HOLDFAST_CONFIG: "none.ts" });

    expect(code).toBe(0);
    expect(stdout).toContain("prioritized");
  });

  it("refuses another shell", async () => {
    expect(await run(["completion", "cmd"], {})).toMatchObject({ code: 2 });
  });
});

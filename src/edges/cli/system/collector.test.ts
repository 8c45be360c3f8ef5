import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { collectorFlags } from "./collector.ts";

it.each(collectorFlags)("%s is known to V8", (flag) => {
  const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });

  expect(known).toContain(`--${flag.replace(/^--(no-)?/, "").replace(/=.*/, "")} (`);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../../test/support/command.ts";
import { inLanes } from "../../lib/waiting.ts";
import { type Change, changesOf } from "./typescript.ts";
import type { Verdict } from "./verdicts.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Whose conditions are broken. */
const files = [
  "src/core/effect/act-once.ts",
  "src/core/effect/report-effect.ts",
  "src/core/bullmq/claim/lease.ts",
] as const;

/** Follows the short form with each change, each in a process of its own: modules are loaded once. */
export async function tryChanges(
  only: string | undefined,
  onVerdict: (verdict: Verdict) => void,
): Promise<void> {
  const changes = files.filter((file) => only === undefined || file.endsWith(only)).flatMap(changesOf);
  await inLanes(changes, availableParallelism(), async (change) => {
    const by = await brokenBy(change);
    onVerdict({ ...change, outcome: by === undefined ? "survived" : "killed", by: by ?? "" });
  });
}

/** @returns undefined where no promise is broken */
export async function brokenBy(change: Change): Promise<string | undefined> {
  const loaders = ["--import", "tsx", "--import", "./lab/explore/mutants/change.mjs"];
  const args = [...loaders, "lab/explore/run.ts", "--quick", "--until-broken"];
  const env = { ...process.env, EXPLORE_CHANGE: JSON.stringify(change) };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  endWithUs(child);
  let [said, failed] = ["", ""];
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  child.stderr.on("data", (chunk) => {
    failed += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return undefined;
  const broken = /^BROKEN (.*)$/m.exec(said)?.[1] ?? /^ {2}BROKEN: (.*)$/m.exec(said)?.[1];
  return broken ?? `the code fails: ${/^\w*Error.*$/m.exec(failed)?.[0] ?? code}`;
}

import type { Command } from "commander";
import { readRoleSettings } from "../../../platform/config/settings.ts";
import type { Finding } from "../../../platform/errors/finding.ts";
import { type Running, stopAll } from "../../../platform/lib/running.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import { exitCode } from "../exit-code.ts";
import { loadApplicationIfAny } from "../load-application.ts";
import { print, printJson } from "../screen/output.ts";
import { type Cell, type Lines, type Tone, toned } from "../screen/text.ts";

/** `holdfast doctor`: which guarantees are not met, and what to do about it. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check Redis, the configuration and the guarantees they allow; exit 1 if one is not met")
    .option("--verbose", "also list the checks that are well, one a line")
    .option("--json", "print one JSON object a line")
    .action(doctor);
}

interface DoctorOptions {
  readonly json?: true;
  readonly verbose?: true;
}

/** Longer than usual: a slow Redis may be why somebody runs the doctor. */
const PATIENCE_MS = 30_000;

async function doctor({ json, verbose }: DoctorOptions): Promise<void> {
  const configured = readRoleSettings();
  const application = await loadApplicationIfAny(configured.HOLDFAST_CONFIG);
  const { reachRedis } = await import("../../../platform/redis/connect.ts");
  const { openEpochs } = await import("../../../core/bullmq/store/epochs.ts");
  const { openQueueStores } = await import("../../../core/bullmq/store/queue-store.ts");
  const { diagnose } = await import("../../../desk/doctor/doctor.ts");
  const { requireVersion } = await import("../../../platform/redis/fitness/fitness.ts");
  const { durabilityFor } = await import("../../../platform/redis/fitness/redis-checks.ts");
  const redis = await reachRedis(configured, "fail-fast");
  const parts: Running[] = [redis];
  try {
    await requireVersion(redis.client, configured);
    const durability = await durabilityFor(redis.client, configured.HOLDFAST_DURABILITY);
    const settings = { ...configured, HOLDFAST_DURABILITY: durability };
    // Checks for data loss itself, because no other process may be running.
    const epochs = await openEpochs(redis.client, application, settings);
    parts.push(epochs);
    const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, epochs.layouts);
    const findings = await inTime(diagnose(application, stores, settings), PATIENCE_MS);
    if (json) printJson(...findings);
    else print(describe(findings, verbose === true));
    if (findings.some(({ verdict }) => verdict === "bad")) process.exitCode = exitCode.failed;
  } finally {
    await stopAll(parts);
  }
}

const tones: Readonly<Record<Finding["verdict"], Tone>> = { bad: "bad", warn: "warning", ok: "good" };

/** First what is bad, then warnings. The rest is one line, unless verbose. */
function describe(findings: readonly Finding[], isVerbose: boolean): Lines {
  const of = (wanted: Finding["verdict"]) => findings.filter(({ verdict }) => verdict === wanted);
  const [bad, warn, ok] = [of("bad"), of("warn"), of("ok")];
  const listed = [...bad, ...warn, ...(isVerbose ? ok : [])];
  const width = Math.max(0, ...listed.map(({ name }) => name.length));
  const lines = listed.flatMap((finding) => linesOfFinding(finding, width));
  const folded: Cell[][] = isVerbose
    ? []
    : [[toned("ok", tones.ok), `    ${ok.length} checks; --verbose lists them`]];
  const count = `${ok.length} ok, ${warn.length} to look at, ${bad.length} bad`;
  return [...lines, ...folded, [""], [count]];
}

function linesOfFinding({ verdict, name, found, reason, remedy }: Finding, width: number): Cell[][] {
  const indent = " ".repeat(width + 8);
  return [
    [toned(verdict, tones[verdict]), " ".repeat(6 - verdict.length), `${name.padEnd(width)}  ${found}`],
    ...(reason === null ? [] : [[`${indent}Why it matters: ${reason}.`]]),
    ...(remedy === null ? [] : [[`${indent}Remedy: ${remedy}.`]]),
  ];
}

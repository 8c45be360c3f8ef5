import type { Command } from "commander";
import { readRoleSettings } from "../../config/settings.ts";
import { type Running, stopAll } from "../../lib/running.ts";
import type { Finding } from "../../operate/finding.ts";
import { inTime } from "../../redis/redis-errors.ts";
import { exitCode } from "../exit-code.ts";
import { loadApplication } from "../load-application.ts";
import { print, printJson } from "../output.ts";
import { printable } from "../table.ts";

/** `holdfast doctor`: which guarantees are not met, and what to do about it. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check Redis, the configuration and the guarantees they allow; exit 1 if one is not met")
    .option("--json", "print one JSON object a line")
    .action(doctor);
}

async function doctor({ json }: { readonly json?: true }): Promise<void> {
  const settings = readRoleSettings();
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  const { reachRedis } = await import("../../redis/connect.ts");
  const { openEpochs } = await import("../../queue/epochs.ts");
  const { openQueueStores } = await import("../../queue/queue-store.ts");
  const { diagnose } = await import("../../operate/doctor.ts");
  const { requireVersion } = await import("../../redis/requirements.ts");
  const redis = await reachRedis(settings, "fail-fast");
  const parts: Running[] = [redis];
  const { queues, queueSettings: declared } = application;
  try {
    await requireVersion(redis.client, settings);
    // Checks for data loss itself, because no other process may be running.
    const epochs = await openEpochs({
      client: redis.client,
      queues,
      declared,
      settings,
      log: undefined,
      isKept: false,
    });
    parts.push(epochs);
    const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, epochs.layouts);
    const findings = await inTime(diagnose(application, stores, settings));
    if (json) printJson(...findings);
    else print(describe(findings));
    if (findings.some(({ verdict }) => verdict === "bad")) process.exitCode = exitCode.failed;
  } finally {
    await stopAll(parts);
  }
}

function describe(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ verdict, name, found, reason, remedy }) => [
    `${verdict.padEnd(4)}  ${name.padEnd(width)}  ${printable(found)}`,
    ...(reason === null ? [] : [`      ${"".padEnd(width)}  Why it matters: ${reason}.`]),
    ...(remedy === null ? [] : [`      ${"".padEnd(width)}  Remedy: ${remedy}.`]),
  ]);
  const count = (verdict: Finding["verdict"]) =>
    findings.filter((finding) => finding.verdict === verdict).length;
  return `${lines.join("\n")}\n\n${count("ok")} ok, ${count("warn")} to look at, ${count("bad")} bad`;
}

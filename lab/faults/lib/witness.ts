import { readFileSync } from "node:fs";
import { join } from "node:path";
import { endChild } from "../../../test/support/command.ts";
import type { Installation } from "./installation.ts";
import { readiness, startProcess } from "./processes.ts";

/** An effect that happened, as the witness recorded it. */
export interface WitnessedEffect {
  readonly key: string;
  /** The job's idempotency key. */
  readonly job: string;
  /** Absent where no effect of Holdfast's sent it. */
  readonly fence?: number;
  readonly life: string;
  readonly at: number;
}

export interface Witness {
  readonly url: string;
  /** All effects so far. */
  effects(): WitnessedEffect[];
  stop(): Promise<void>;
}

/** Starts the process that effects notify. */
export async function startWitness(
  installation: Installation,
  directory: string,
  host = "127.0.0.1",
): Promise<Witness> {
  const file = join(directory, "witness.ndjson");
  const log = join(directory, "logs/witness.log");
  const child = startProcess(
    installation.script("witness"),
    { LAB_WITNESS_FILE: file, LAB_WITNESS_HOST: host },
    log,
  );
  const { url = "" } = await readiness(child);
  return {
    url,
    effects() {
      const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
      return lines.map((line) => JSON.parse(line) as WitnessedEffect);
    },
    stop: () => endChild(child, "SIGKILL"),
  };
}

import { join } from "node:path";
import { endChild } from "../../../test/support/command.ts";
import type { Tally } from "./inside/downstream/plan.ts";
import type { Installation } from "./installation.ts";
import { readiness, startProcess } from "./processes.ts";

/** A service that effects call, and that misbehaves as its callers' jobs ask. */
export interface Downstream {
  readonly url: string;
  tally(): Promise<Tally>;
  stop(): Promise<void>;
}

/** @param witness where it records what it did */
export async function startDownstream(
  installation: Installation,
  directory: string,
  witness: string,
): Promise<Downstream> {
  const log = join(directory, "logs/downstream.log");
  const child = startProcess(installation.script("downstream/server"), { LAB_WITNESS: witness }, log);
  const { url = "" } = await readiness(child);
  return {
    url,
    tally: async () => (await (await fetch(url)).json()) as Tally,
    stop: () => endChild(child, "SIGKILL"),
  };
}

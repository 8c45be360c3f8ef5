import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commonFacts, outputOf, versionOf } from "../../../../test/support/report.ts";
import { number } from "../../../lib/numbers.ts";
import { spread } from "../../../lib/statistics.ts";
import type { Form } from "../row.ts";

/** Where, when and on what was measured, by name. */
export function collectFacts({ rounds, seconds, warmUpSeconds }: Form): Record<string, string> {
  const { store, ...facts } = commonFacts();
  const opponents = ["express", "bee-queue", "@platformatic/job-queue"];
  return {
    ...facts,
    store: `${store}, appendonly yes, appendfsync always`,
    "disk, one fsync": `${number(fsyncMs())} ms`,
    ...Object.fromEntries(opponents.map((name) => [name, versionOf(name)])),
    "load generator": /^wrk\s+(\S+)/.exec(outputOf("wrk", "--version"))?.[0] ?? "wrk",
    rounds: `${rounds}, each ${seconds} s after ${warmUpSeconds} s of warm-up`,
  };
}

const FSYNCS = 200;

/** What each acknowledgement waits for, on the disk that the measurements use. */
function fsyncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-fsync-"));
  const file = openSync(join(directory, "log"), "a");
  const block = Buffer.alloc(1_024, "x");
  const times = Array.from({ length: FSYNCS }, () => {
    writeSync(file, block);
    const startedAt = performance.now();
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return spread(times).median;
}

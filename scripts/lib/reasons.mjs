// The table of reasons in docs/tour.md: each mechanism of src/core, the break that needs it, its files and their lines.
import { readFileSync } from "node:fs";
import path from "node:path";

const reasons = [
  {
    mechanism: "key and job in one write",
    need: "lost reply; the same key after trimming",
    files: ["core/bullmq/add/add-jobs.lua", "core/bullmq/add/job-adder.ts"],
  },
  {
    mechanism: "fingerprint in the job's id",
    need: "another payload under a used key",
    files: ["core/submit/fingerprint.ts", "core/job/job-id.ts"],
  },
  {
    mechanism: "canonical JSON",
    need: "members in another order would be other content",
    files: ["platform/lib/canonical-json.ts"],
  },
  {
    mechanism: "durable acknowledgement",
    need: "the forgotten second",
    files: ["platform/redis/fitness/redis-checks.ts", "platform/redis/writers.ts"],
  },
  {
    mechanism: "epoch",
    need: "a Redis that comes back with less",
    files: ["platform/redis/fitness/epoch.ts", "platform/redis/fitness/check-epoch.lua"],
  },
  {
    mechanism: "Redis's clock",
    need: "a worker eight days ahead deletes every kept job; a wrong scheduler",
    files: ["platform/redis/fitness/clock.ts", "core/bullmq/claim/claim-scripts.ts"],
  },
  {
    mechanism: "reservation with a deadline",
    need: "killed before, killed after",
    files: ["core/effect/ledger/reserve.lua", "core/effect/ledger/ledger.ts"],
  },
  {
    mechanism: "doubt",
    need: "killed before and after; the provider's 502",
    files: ["core/effect/ledger/doubt.lua", "core/effect/act-once.ts"],
  },
  {
    mechanism: "evidence and classifiers",
    need: "the provider's 502; a library that sends again",
    files: ["evidence/outgoing/verdict.ts", "evidence/outgoing/watch-outgoing.ts"],
  },
  {
    mechanism: "fence",
    need: "paused and woken: two runs, one of them late",
    files: ["core/effect/ledger/reserve.lua", "core/effect/ledger/commit.lua"],
  },
  {
    mechanism: "lease, by the clock",
    need: "paused for longer than the lock",
    files: ["core/bullmq/claim/lease.ts"],
  },
  {
    mechanism: "a first run that may still act",
    need: "paused, called not done by a person, woken",
    files: ["core/effect/ledger/pending-run.lua"],
  },
  {
    mechanism: "commit in front of the completion",
    need: "a completed job whose effect is open",
    files: ["core/effect/ledger/commit.lua", "core/effect/report-effect.ts"],
  },
  {
    mechanism: "sweep",
    need: "BullMQ ends a job, so what belongs to it is mended later",
    files: ["core/life/ledger-sweep.lua"],
  },
  {
    mechanism: "bounded deliveries",
    need: "a job that kills its worker each time",
    files: ["core/bullmq/claim/deliveries.lua"],
  },
  {
    mechanism: "elimination of states",
    need: "a status read that blocks Redis",
    files: ["core/bullmq/job-state.lua", "core/bullmq/read-job.lua"],
  },
  {
    mechanism: "fail-fast and retrying connections",
    need: "a hanging call; a command sent again unseen",
    files: ["platform/redis/connection.ts"],
  },
];

/** The table, with what the files have today. */
export function reasonsTable() {
  const rows = reasons.map(({ mechanism, need, files }) => {
    const links = files.map((file) => `[${path.basename(file)}](../src/${file})`).join(", ");
    const lines = Math.ceil(files.reduce((sum, file) => sum + linesOf(file), 0) / 10) * 10;
    return `| ${mechanism} | ${need} | ${links} | ${lines} |`;
  });
  return [
    "| mechanism | the break that needs it | where | lines, about |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function linesOf(file) {
  return readFileSync(path.join("src", file), "utf8").trimEnd().split("\n").length;
}

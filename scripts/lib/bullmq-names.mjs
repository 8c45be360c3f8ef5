// Only src/core/bullmq may use BullMQ's key names, field names and encodings. Other rooms call functions with names. Lua of the desk, and
// of three features that stand in BullMQ's own sets or fields, may name what it reads; so does the desk's record of a job, and its import from a queue that is not Holdfast's.
import { readFileSync } from "node:fs";
import { filesUnder } from "./files.mjs";

const names = [
  // Keys: of a deduplication, of a lock, of a queue's lists.
  /["'`{]de:/,
  /:lock\b/,
  /(?:\.\. |\bkeys?\()["'](?:wait|paused|delayed|prioritized|active|completed|failed|stalled|events|meta|marker|pc|id)["']/,
  // Fields of a job and of a queue.
  /["'](?:ats|atm|stc|defa|pb|rjk|opts|tm)["']/,
  /\b(?:failedReason|returnvalue|processedOn|finishedOn|attemptsStarted|stalledCounter|maxLenEvents)\b/,
  // Encodings of due times and priorities.
  /\b4096\b|\b0x100000000\b|\b4_?294_?967_?296\b|\b2097151\b|\b2_097_151\b/,
];

/** Finds them elsewhere. Returns a line for each. */
export function bullmqNamesOutside() {
  return filesUnder("src")
    .filter(
      (file) =>
        /\.(ts|lua)$/.test(file) &&
        !/^src\/core\/bullmq\/|^src\/(features\/(flows|fairness|tags)|desk|testing)\b.*\.lua$|^src\/desk\/(?:jobs\/job-record|import\/bullmq-queue)\.ts$|\.test\.ts$/.test(
          file,
        ),
    )
    .flatMap(namesIn);
}

function namesIn(file) {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      const found = names.map((name) => name.exec(line)?.[0]).find((match) => match !== undefined);
      return found === undefined ? [] : [`${file}:${index + 1}: ${found}`];
    });
}

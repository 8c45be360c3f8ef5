import type { JobStatus } from "../../../core/job/job-status.ts";
import type { Doubt } from "../../../desk/doubts/doubts.ts";
import type { JobDetail } from "../../../desk/jobs/job-detail.ts";
import { evidenceText } from "../../../evidence/outgoing/outgoing-text.ts";
import { features } from "../../../features/index.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";
import { type Cell, type Lines, linesOf, printable, type Tone, toned } from "./text.ts";

const tones: Readonly<Record<string, Tone>> = { completed: "good", failed: "bad", active: "strong" };

/** A job's state in a word for people, with BullMQ's beside it where that is another. */
export function stateCell({
  state,
  error,
  stillRuns = [],
}: Pick<JobStatus, "state" | "error" | "stillRuns">): Cell {
  const code = state === "failed" ? error?.code : undefined;
  const goesOn = stillRuns.length === 0 ? "" : ", still runs";
  if (code === "EFFECT_IN_DOUBT") return toned(`in doubt (failed)${goesOn}`, "warning");
  if (code === "CANCELLED") return toned(`cancelled (failed)${goesOn}`, goesOn === "" ? "faint" : "warning");
  if (state === "prioritized") return "waiting (prioritized)";
  return toned(`${state}${goesOn}`, goesOn === "" ? tones[state] : "warning");
}

/** A job's status as aligned lines, without what it does not have yet, and its effects in doubt. */
export function describeStatus(status: JobStatus): Lines {
  const doubts = status.effects.filter(({ state }) => state === "in-doubt");
  return [
    statusLines(status),
    ...doubts.map((effect) => `in doubt      ${printable(effectStateText(effect))}`),
  ].flatMap(linesOf);
}

function statusLines(status: JobStatus): Lines {
  const lines: (readonly [string, Cell | null])[] = [
    ["job", `${status.id} (${status.type})`],
    ["state", stateCell(status)],
    ...(status.stillRuns ?? []).map((run) => ["still runs", toned(stillRunText(run), "warning")] as const),
    ["held", status.held === undefined ? null : heldText(status.held)],
    ["attempts", `${status.attemptsMade + Number(status.state === "active")} of ${status.maxAttempts}`],
    ["submitted", status.submittedAt],
    ["started", status.startedAt],
    ["finished", status.finishedAt],
    ["next attempt", status.nextAttemptAt],
    ...features.flatMap(({ lines }) => lines?.(status) ?? []),
    ["progress", status.progress === null ? null : JSON.stringify(status.progress)],
    ["result", status.state === "completed" ? JSON.stringify(status.result) : null],
    ["error", status.error && `${status.error.code}: ${status.error.message}`],
  ];
  return aligned(lines);
}

/** Where a run goes on that was told to stop. */
function stillRunText({
  worker,
  toldAt,
  workerSeenAt,
  isCertain,
}: NonNullable<JobStatus["stillRuns"]>[number]): string {
  const told = `was told to stop at ${toldAt}, its handler`;
  return isCertain
    ? `${told} still runs on ${worker}`
    : `${told} may still run on ${worker}, which was last seen at ${workerSeenAt}`;
}

function heldText({ behind, limit, windowMs, until }: NonNullable<JobStatus["held"]>): string {
  if (windowMs === undefined)
    return `behind ${behind} of its key, of which ${limit} may be under way at a time`;
  const from = until === undefined ? "" : `, until ${until}`;
  return `behind ${behind} of its key, of which ${limit} may start within ${durationText(windowMs)}${from}`;
}

/** Everything known about a job: its status, its payload, its effects, each failed attempt with its stack, its log. */
export function describeJob(job: JobDetail): Lines {
  return [
    statusLines(job),
    aligned([
      ["key", job.idempotencyKey],
      ["queue", job.queue],
      ["worker", job.worker],
      ["trace", job.traceUrl ?? job.traceId],
      ["crashes", job.crashes === 0 ? null : String(job.crashes)],
      ["payload", JSON.stringify(job.payload)],
    ]),
    ...job.effects.flatMap(effectLines),
    ...job.record.map(({ at, text }) => `by hand       ${printable(`${at}: ${text}`)}`),
    ...job.lostWorkers.map(
      ({ at, worker }) => `lost worker   ${printable(worker ?? "not known")}, found at ${at}`,
    ),
    ...job.attempts.map(describeAttempt),
    ...(job.logs.length === 0 ? [] : ["", "log", ...job.logs.map((line) => `  ${printable(line)}`)]),
  ].flatMap(linesOf);
}

/** Of one that is done, all that is known: one text to copy. */
function effectLines(effect: JobDetail["effects"][number]): string[] {
  const known = effect.answer?.text.split("\n").map((line) => `  ${printable(line)}`) ?? [];
  return [`effect        ${printable(effectText(effect))}`, ...known];
}

function effectText(effect: JobDetail["effects"][number]): string {
  const { mayStillRun, workerSeenAt } = effect;
  const seen = workerSeenAt == null ? "" : `: its worker was seen at ${workerSeenAt}`;
  return `${effectStateText(effect)}${mayStillRun ? `; may still be under way${seen}` : ""}`;
}

function effectStateText({ name, state, at, evidence = [] }: JobStatus["effects"][number]): string {
  return `${name}: ${state}, ${at}${state === "in-doubt" ? `; what it sent: ${evidenceText(evidence)}` : ""}`;
}

function describeAttempt({ attempt, worker, endedAt, code, message, stack }: JobDetail["attempts"][number]) {
  const lines = (stack ?? message).split("\n").map((line) => `  ${printable(line)}`);
  return ["", printable(`attempt ${attempt} failed at ${endedAt} on ${worker}: ${code}`), ...lines].join(
    "\n",
  );
}

function aligned(lines: readonly (readonly [name: string, value: Cell | null])[]): Lines {
  return lines.flatMap(([name, value]) => (value === null ? [] : [[`${name.padEnd(13)} `, value]]));
}

/** When the worker of an effect in doubt was last seen. */
export function seenText({ worker, workerSeenAt }: Pick<Doubt, "worker" | "workerSeenAt">): string {
  if (workerSeenAt === null) return `worker ${worker} is not known here`;
  return `worker ${worker} was seen ${durationText(Math.max(0, Date.now() - Date.parse(workerSeenAt)))} ago`;
}

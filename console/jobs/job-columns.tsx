import { duration } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import type { LongColumn, LongTableLook } from "../parts/long-table.tsx";
import { isCancelled, Mark, StateMark } from "../parts/mark.tsx";
import { Relative } from "../parts/time.tsx";
import type { ListedJob } from "../service/answers.ts";

const key: LongColumn<ListedJob> = {
  id: "key",
  title: "Idempotency key",
  width: "2fr",
  minWidth: 150,
  cell: ({ id, idempotencyKey }) => (
    <JobLink id={id}>
      <Text of={idempotencyKey} />
    </JobLink>
  ),
};

const columns: readonly LongColumn<ListedJob>[] = [
  key,
  { id: "type", title: "Type", width: "1fr", minWidth: 110, cell: ({ type }) => <Text of={type} /> },
  { id: "state", title: "State", width: 150, cell: (job) => <StateMark job={job} /> },
  {
    id: "submitted",
    title: "Submitted",
    width: 100,
    cell: ({ submittedAt }) => <Relative at={submittedAt} />,
  },
  { id: "attempts", title: "Attempts", width: 82, isNumber: true, cell: attempts },
  { id: "ran", title: "Ran for", width: 92, isNumber: true, cell: runTime },
  { id: "note", title: "Note", width: "2fr", minWidth: 140, cell: note },
];

/** Jobs of every state. */
export const jobLook: LongTableLook<ListedJob> = {
  columns,
  card: (job) => (
    <div className="card">
      <div className="card-line">
        {key.cell(job)}
        <StateMark job={job} />
      </div>
      <div className="card-line quiet">
        <Text of={job.type} />
        <span>
          <Relative at={job.submittedAt} />, {attempts(job)}
        </span>
      </div>
      <div className="card-line">{note(job)}</div>
    </div>
  ),
};

/** Failed jobs of one type and reason: their messages, and nothing that all of them share. */
export const failureLook: LongTableLook<ListedJob> = {
  ...jobLook,
  columns: [
    { ...key, width: "1fr" },
    {
      id: "message",
      title: "Message",
      width: "3fr",
      minWidth: 240,
      cell: ({ error }) => error !== null && <Text of={error.message} />,
    },
    {
      id: "failed",
      title: "Failed",
      width: 100,
      cell: ({ finishedAt, submittedAt }) => <Relative at={finishedAt ?? submittedAt} />,
    },
    { id: "attempts", title: "Attempts", width: 82, isNumber: true, cell: attempts },
  ],
};

/** The one that runs included. */
function attempts({ attemptsMade, maxAttempts, state }: ListedJob): string {
  return `${attemptsMade + Number(state === "active")} of ${maxAttempts}`;
}

function runTime({ startedAt, finishedAt, state }: ListedJob): string {
  if (startedAt !== null && state === "active")
    return `${duration(Math.max(0, Date.now() - Date.parse(startedAt)))} so far`;
  if (startedAt === null || finishedAt === null) return "–";
  return duration(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)));
}

/** The most important thing about a job, in one line. */
function note(job: ListedJob) {
  const { error, nextAttemptAt, state, progress, effects, held, stillRuns = [] } = job;
  if (effects.some((effect) => effect.state === "in-doubt"))
    return <Mark of="in-doubt" text="effect in doubt" />;
  if (stillRuns[0] !== undefined)
    return <span className="quiet">told to stop, still on {stillRuns[0].worker}</span>;
  if (error !== null)
    return (
      <span className={isCancelled(job) ? "quiet" : ""}>
        <Text of={error.message} />
      </span>
    );
  if (held !== undefined) return <span className="quiet">held behind {held.behind} of its key</span>;
  if (nextAttemptAt !== null && state === "delayed") {
    return (
      <span className="quiet">
        due <Relative at={nextAttemptAt} />
      </span>
    );
  }
  if (state === "active" && progress !== null) return <Text of={JSON.stringify(progress)} isCode />;
  return null;
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { SettleButton } from "../doubts/settle-dialog.tsx";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Json } from "../parts/json.tsx";
import { Text, To } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Page, Section } from "../parts/page.tsx";
import { Empty, Loaded, ProblemNote } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import type { JobDetail } from "../service/answers.ts";
import { send } from "../service/call.ts";
import { Problem } from "../service/problem.ts";
import { useMay } from "../service/session.ts";
import { JobTimeline } from "./job-timeline.tsx";
import { jobQuery } from "./queries.ts";
import { useFollowedJob } from "./use-followed-job.ts";
import "./jobs.css";

/** All that is known of one job, as it happens. */
export function JobPage({ id }: { readonly id: string }) {
  const job = useQuery(jobQuery(id));
  useFollowedJob(id, job.data?.state);
  const isUnknown = job.error instanceof Problem && job.error.code === "JOB_NOT_FOUND";
  return (
    <Page
      title={job.data?.idempotencyKey ?? "Job"}
      tab={job.data === undefined ? "Job" : `${job.data.idempotencyKey} · ${job.data.type}`}
      lead={
        <>
          {job.data !== undefined && <Text of={job.data.type} />} <Text of={id} isCode />
        </>
      }
      actions={job.data !== undefined && <Operations job={job.data} />}
    >
      {isUnknown ? (
        <Unknown thrown={job.error} />
      ) : (
        <Loaded query={job}>{(found) => <Job job={found} />}</Loaded>
      )}
    </Page>
  );
}

function Unknown({ thrown }: { readonly thrown: unknown }) {
  return (
    <ProblemNote thrown={thrown}>
      <p>
        Retention may have removed it. <To to="/jobs">Look among all jobs</To>
      </p>
    </ProblemNote>
  );
}

function Job({ job }: { readonly job: JobDetail }) {
  const { queue, state, attemptsMade, maxAttempts, progress, payload, result, error, logs } = job;
  return (
    <div className="job">
      <dl className="facts job-facts">
        <div>
          <dt>State</dt>
          <dd>
            <Mark of={state} />
          </dd>
        </div>
        <div>
          <dt>Queue</dt>
          <dd>
            <Text of={queue} />
          </dd>
        </div>
        <div>
          <dt>Attempts</dt>
          <dd>
            {attemptsMade} of {maxAttempts}
          </dd>
        </div>
        <div>
          <dt>Submitted</dt>
          <dd>
            <Relative at={job.submittedAt} />
          </dd>
        </div>
      </dl>
      {error !== null && <JobError error={error} />}
      <Section title="Life" className="life">
        <JobTimeline job={job} settle={(effect) => <SettleButton jobId={job.id} effect={effect} />} />
      </Section>
      <div className="job-data">
        {progress !== null && (
          <Section title="Progress">
            <Json value={progress} label="Progress" />
          </Section>
        )}
        <Section title="Payload">
          <Json value={payload} label="Payload" />
        </Section>
        <Section title="Result">
          {state === "completed" ? (
            <Json value={result} label="Result" />
          ) : (
            <Empty title={state === "failed" ? "None: it failed." : "None yet."} />
          )}
        </Section>
        <Section title="Log" aside={logs.length > 0 ? `${logs.length} kept` : undefined}>
          <Logs lines={logs} />
        </Section>
      </div>
    </div>
  );
}

function JobError({
  error: { code, message, retryable },
}: {
  readonly error: NonNullable<JobDetail["error"]>;
}) {
  return (
    <div className="problem">
      <p className="problem-title">
        <span className="code">{code}</span>
      </p>
      <p>
        <Text of={message} />
      </p>
      <p className="quiet">{retryable ? "Trying again can help." : "Trying again alone does not help."}</p>
    </div>
  );
}

function Logs({ lines }: { readonly lines: readonly string[] }) {
  if (lines.length === 0) return <Empty title="Its handler has logged nothing." />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <ol className="log" tabIndex={0} aria-label="Log lines">
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
        <li key={index}>
          <bdi>{line}</bdi>
        </li>
      ))}
    </ol>
  );
}

/** What an operator may do to a job in its state. */
function Operations({ job: { id, state, effects } }: { readonly job: JobDetail }) {
  const client = useQueryClient();
  const notice = useNotice();
  const mayOperate = useMay("operate");

  async function operate(verb: "retry" | "cancel") {
    const { outcome } = await send<{ readonly outcome: string }>(`jobs/${encodeURIComponent(id)}/${verb}`);
    notice(outcomes[outcome] ?? outcome);
    await Promise.all(
      ["job", "jobs", "failures"].map((name) => client.invalidateQueries({ queryKey: [name] })),
    );
  }

  if (!mayOperate) return null;
  // Settling is what helps it: after that it goes on by itself.
  if (effects.some((effect) => effect.state === "in-doubt")) return null;
  if (state === "failed") {
    return (
      <ConfirmButton
        label="Retry"
        title="Retry this job?"
        action="Retry this job"
        onConfirm={() => operate("retry")}
      >
        <p>It gets all its attempts again, and keeps its id and its key. Effects that are done stay done.</p>
      </ConfirmButton>
    );
  }
  if (state === "completed") return null;
  return (
    <ConfirmButton
      label="Cancel"
      title="Cancel this job?"
      action="Cancel this job"
      isDangerous
      onConfirm={() => operate("cancel")}
    >
      <p>
        {state === "active"
          ? "It runs now: it is told to end, and then is failed. An effect that is just under way may be in doubt."
          : "It has not begun: it is failed at once. You can retry it later."}
      </p>
    </ConfirmButton>
  );
}

const outcomes: Readonly<Record<string, string>> = {
  retried: "The job is back in its queue.",
  cancelled: "The job is cancelled.",
  cancelling: "The job was told to end.",
};

import { useQuery } from "@tanstack/react-query";
import { ResolveButton } from "../doubts/resolve-dialog.tsx";
import { Copy } from "../parts/copy.tsx";
import { DetailPage, Fact } from "../parts/detail-page.tsx";
import { count, counted, prettyJson } from "../parts/format.ts";
import { Guide } from "../parts/guide.tsx";
import { Json } from "../parts/json.tsx";
import { JobLink, Text, To } from "../parts/link.tsx";
import { IN_DOUBT, isCancelled, Mark, StateMark } from "../parts/mark.tsx";
import { Section } from "../parts/page.tsx";
import { Empty } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { JobDetail } from "../service/answers.ts";
import { query } from "../service/call.ts";
import { CompareAttempts } from "./compare-attempts.tsx";
import { JobOperations } from "./job-operations.tsx";
import { JobSpans } from "./job-spans.tsx";
import { Timeline } from "./life.tsx";
import { LogLines } from "./log-lines.tsx";
import { jobQuery } from "./queries.ts";
import { isUnrun } from "./spans.ts";
import { Again, SubmitAgain } from "./submit-again.tsx";
import { lifeOf } from "./timeline.ts";
import { causesOf, Trace } from "./trace.tsx";
import { useLiveJob } from "./use-live-job.ts";
import "./jobs.css";

/** Everything known about one job, live. */
export function JobPage({ id }: { readonly id: string }) {
  const job = useQuery(jobQuery(id));
  useLiveJob(id, job.data?.state);
  return (
    <DetailPage
      id={id}
      title="Job"
      query={job}
      nameOf={({ idempotencyKey, type }) => ({ idempotencyKey, kind: type })}
      actions={(found) => (
        <>
          <SubmitAgain key={id} job={found} />
          <JobOperations job={found} />
          <ResolveFirst job={found} />
        </>
      )}
      ifUnknown={
        <>
          Retention may have removed it. <To to="/jobs">Search all jobs</To>
        </>
      }
    >
      {(found) => <Job job={found} />}
    </DetailPage>
  );
}

/** What helps a job in doubt. */
function ResolveFirst({ job: { id, effects } }: { readonly job: JobDetail }) {
  const first = effects.find(({ state }) => state === "in-doubt");
  return first !== undefined && <ResolveButton jobId={id} effect={first.name} isMain />;
}

/** What this page draws by itself, with links. */
const drawn: ReadonlySet<string> = new Set(["tags", "replaced", "parent", "children"]);

function Job({ job }: { readonly job: JobDetail }) {
  const { queue, state, attemptsMade, maxAttempts, progress, payload, result, error, logs } = job;
  const isInDoubt = job.effects.some((effect) => effect.state === "in-doubt");
  return (
    <div className="job">
      <dl className="facts job-facts">
        <Fact name="State">
          <StateMark job={job} />
        </Fact>
        <Fact name="Queue">
          <Text of={queue} />
        </Fact>
        {job.tags.length > 0 && (
          <div>
            <dt>Tags</dt>
            <dd className="tags">
              {job.tags.map((tag) => (
                <To key={tag} to={`/jobs?tag=${encodeURIComponent(tag)}`}>
                  {tag}
                </To>
              ))}
            </dd>
          </div>
        )}
        <Fact name="Attempts">
          {isUnrun(job) ? "none" : attemptsMade + Number(state === "active")} of {maxAttempts}
        </Fact>
        <Fact name="Submitted">
          <Relative at={job.submittedAt} />
        </Fact>
        {job.replaced !== undefined && (
          <Fact name="Replaced">{counted(job.replaced, "earlier submission")}</Fact>
        )}
        {job.lines
          .filter(({ name }) => !drawn.has(name))
          .map(({ name, text }) => (
            <Fact key={name} name={name.charAt(0).toUpperCase() + name.slice(1)}>
              <Text of={text} />
            </Fact>
          ))}
        <TraceLink job={job} />
        <Family job={job} />
        <Again job={job} />
      </dl>
      {job.stillRuns?.map((run) => (
        <StillRuns key={`${run.worker} ${run.toldAt}`} run={run} />
      ))}
      {error !== null && (
        <JobError
          type={job.type}
          error={error}
          isCancelled={isCancelled(job)}
          trace={job.attempts.at(-1)?.stack ?? null}
        />
      )}
      <Section title="Life" className="life">
        <JobSpans job={job} />
        <Timeline
          moments={lifeOf(job)}
          resolve={(effect) => <ResolveButton jobId={job.id} effect={effect} />}
        />
      </Section>
      <div className="job-data">
        {job.childJobs !== undefined && job.childJobs.length > 0 && <Children of={job.childJobs} job={job} />}
        {progress !== null && (
          <Section title="Progress">
            <Json value={progress} label="Progress" />
          </Section>
        )}
        <Section title="Payload" aside={<Copy text={prettyJson(payload)} what="The payload" />}>
          <Json value={payload} label="Payload" />
        </Section>
        <Section
          title="Result"
          aside={state === "completed" && <Copy text={prettyJson(result)} what="The result" />}
        >
          {state === "completed" ? (
            <Json value={result} label="Result" />
          ) : (
            <Empty title={noResult(job, isInDoubt)} />
          )}
        </Section>
        <Section title="Log" aside={logs.length > 0 ? `${logs.length} kept` : undefined}>
          <LogLines job={job} />
        </Section>
      </div>
      <CompareAttempts job={job} />
    </div>
  );
}

/** A handler that ignores its signal. */
function StillRuns({ run }: { readonly run: NonNullable<JobDetail["stillRuns"]>[number] }) {
  const { worker, toldAt, workerSeenAt, isCertain } = run;
  return (
    <section className="problem job-error" aria-label="Still running">
      <div>
        <p className="problem-title">
          Its handler {isCertain ? "still runs" : "may still run"} on <Text of={worker} isCode />
        </p>
        <p>
          It was told to stop <Relative at={toldAt} />, and has not returned. What it does still happens.
        </p>
        {!isCertain && (
          <p className="quiet">
            The worker was last seen <Relative at={workerSeenAt} />: it is dead, or cut off from Redis.
          </p>
        )}
      </div>
    </section>
  );
}

function noResult(job: JobDetail, isInDoubt: boolean): string {
  if (job.state !== "failed" || isInDoubt) return "None yet.";
  return isCancelled(job) ? "None: it was cancelled." : "None: it failed.";
}

function TraceLink({ job: { traceId, traceUrl } }: { readonly job: JobDetail }) {
  if (traceId === null) return null;
  return (
    <Fact name="Trace">
      {traceUrl === null ? (
        <Text of={traceId} isCode />
      ) : (
        <a href={traceUrl} target="_blank" rel="noreferrer">
          <Text of={traceId} isCode />
        </a>
      )}
    </Fact>
  );
}

/** Of a job of a flow. */
function Family({ job: { parentId, children } }: { readonly job: JobDetail }) {
  return (
    <>
      {parentId !== undefined && (
        <Fact name="Parent">
          <JobLink id={parentId} />
        </Fact>
      )}
      {children !== undefined && (
        <Fact name="Children">
          {count(children.completed)} of {count(children.total)} completed, {count(children.failed)} failed
          {!children.isWhole && ", half submitted"}
        </Fact>
      )}
    </>
  );
}

interface ChildrenProps {
  readonly of: NonNullable<JobDetail["childJobs"]>;
  readonly job: JobDetail;
}

function Children({ of: listed, job: { children } }: ChildrenProps) {
  const total = children?.total ?? listed.length;
  return (
    <Section
      title="Children"
      aside={total > listed.length ? `${count(listed.length)} of ${count(total)}` : undefined}
    >
      <ul className="child-jobs">
        {listed.map(({ id, type, name, state }) => (
          <li key={id}>
            <Mark of={state} text={state === "waiting" ? "not ended" : state} />
            <JobLink id={id}>
              <Text of={`${type} ${name}`} />
            </JobLink>
          </li>
        ))}
      </ul>
    </Section>
  );
}

interface ErrorProps {
  readonly type: string;
  readonly error: NonNullable<JobDetail["error"]>;
  readonly isCancelled: boolean;
  /** Of the latest failed attempt. */
  readonly trace: string | null;
}

/** The error, and beside it what caused it and where. */
function JobError({ type, error: { code, message, retryable }, isCancelled: isCalm, trace }: ErrorProps) {
  return (
    <section
      className={`problem job-error ${isCalm ? "calm" : ""} ${code === IN_DOUBT ? "in-doubt" : ""}`}
      aria-label={isCalm ? "Cancelled" : "Error"}
    >
      <div>
        <p className="problem-title">
          <Text of={message} />
        </p>
        <p>
          <To to={`/failed${query({ type, code })}`}>
            <span className="code">{visible(code)}</span>
          </To>{" "}
          <Copy text={`${code}: ${message}`} what="The error" />{" "}
          <Guide page="errors-of-jobs.md#why-did-a-job-fail">What it means</Guide>
        </p>
        <p className="quiet">{help(isCalm, code, retryable)}</p>
      </div>
      {trace !== null && (
        <div>
          {causesOf(trace).map((cause) => (
            <p key={cause} className="cause">
              <span className="quiet">caused by</span> <Text of={cause} />
            </p>
          ))}
          <Trace trace={trace} />
        </div>
      )}
    </section>
  );
}

function help(isCancelled: boolean, code: string, isRetryable: boolean): string {
  if (code === IN_DOUBT)
    return "Resolve what is in doubt, and it continues. Where the effect has a probe, a retry asks it.";
  if (isCancelled) return "Somebody cancelled it: retry it if it shall run after all.";
  return isRetryable ? "Retrying may help." : "Retrying alone does not help.";
}

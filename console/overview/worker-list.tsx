import { Bar } from "../parts/bar.tsx";
import { count, counted } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { Empty } from "../parts/states.tsx";
import { Age, Relative } from "../parts/time.tsx";
import type { WorkerOverview } from "../service/answers.ts";

/** The workers with a recent heartbeat, and the jobs that each of them runs. */
export function WorkerList({ workers }: { readonly workers: readonly WorkerOverview[] }) {
  if (workers.length === 0) {
    return <Empty title="No worker is running.">Jobs are accepted, and wait for one.</Empty>;
  }
  return (
    <ul className="worker-list">
      {workers.map((worker) => (
        <li key={`${worker.name} ${worker.queue} ${worker.startedAt}`}>
          <Worker worker={worker} />
        </li>
      ))}
    </ul>
  );
}

/** `running` is up to one heartbeat old; `holds` is current, but lists only a few jobs. */
export function busySlots({ running, holds, isSilent }: WorkerOverview): number {
  return isSilent ? holds.length : Math.max(running, holds.length);
}

function Worker({ worker }: { readonly worker: WorkerOverview }) {
  const {
    name,
    queue,
    concurrency,
    startedAt,
    seenAt,
    lastClaimedAt,
    isSilent,
    isStuck,
    isClockWrong,
    holds,
  } = worker;
  const busy = busySlots(worker);
  return (
    <>
      <div className="worker-head">
        <Text of={name} isCode /> <span className="quiet">on</span> <Text of={queue} />
        {isSilent && <span className="tag bad">stale: gone, or cut off from Redis</span>}
        {isClockWrong && <span className="tag bad">clock wrong: claims nothing</span>}
        {isStuck && <span className="tag bad">stuck: claims nothing while jobs wait</span>}
      </div>
      <div className="worker-load">
        <Bar value={busy} of={concurrency} />
        <span>
          {count(busy)} of {count(concurrency)}
        </span>
        <span className="quiet">
          {!isSilent && (
            <>
              up <Age at={startedAt} />,{" "}
            </>
          )}
          seen <Relative at={seenAt} />
          {lastClaimedAt !== null && (
            <>
              , last claimed a job <Relative at={lastClaimedAt} />
            </>
          )}
        </span>
      </div>
      {holds.length > 0 && (
        <details>
          <summary>
            Runs {counted(busy, "job")}
            {busy > holds.length && `, ${count(holds.length)} of them listed`}
          </summary>
          <ul className="holds">
            {holds.map(({ jobId, type, since }) => (
              <li key={jobId}>
                <JobLink id={jobId} /> <Text of={type} /> <span className="quiet">for</span>{" "}
                <Age at={since} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

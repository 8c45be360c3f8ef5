import { Bar } from "../parts/bar.tsx";
import { count, counted } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { Empty } from "../parts/states.tsx";
import { Age, Relative } from "../parts/time.tsx";
import type { WorkerOverview } from "../service/answers.ts";
import { useNow } from "../service/clock.ts";

/** A stale worker without jobs is folded away after that. */
const FOLDED_AFTER_MS = 60_000;

interface WorkersProps {
  readonly workers: readonly WorkerOverview[];
}

/** The workers, and the jobs that each of them runs since when. */
export function WorkerList({ workers, isRefusing }: WorkersProps & { readonly isRefusing: boolean }) {
  const now = useNow();
  const isFolded = ({ isSilent, seenAt, holds }: WorkerOverview) =>
    isSilent && holds.length === 0 && now - Date.parse(seenAt) > FOLDED_AFTER_MS;
  const folded = workers.filter(isFolded);
  const shown = workers.filter((worker) => !isFolded(worker));
  return (
    <>
      {shown.every(({ isSilent }) => isSilent) && (
        <Empty title="No worker is running.">
          {isRefusing ? "Work is refused: see the top." : "Jobs are accepted, and wait for one."}
        </Empty>
      )}
      <Workers workers={shown} />
      {folded.length > 0 && (
        <details className="folded">
          <summary>{counted(folded.length, "worker")} without a heartbeat, and without jobs</summary>
          <Workers workers={folded} />
        </details>
      )}
    </>
  );
}

function Workers({ workers }: WorkersProps) {
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

const GONE = "stopped: another worker gets its jobs";

function Worker({ worker }: { readonly worker: WorkerOverview }) {
  const {
    name,
    queue,
    isGone,
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
        {isSilent && <span className="tag bad">{isGone ? GONE : "stale: gone, or cut off from Redis"}</span>}
        {isClockWrong && <span className="tag bad">clock wrong: claims nothing</span>}
        {isStuck && <span className="tag bad">stuck: claims nothing while jobs wait</span>}
      </div>
      <div className="worker-load">
        {!isGone && (
          <>
            <Bar value={busy} of={concurrency} />
            <span>
              {count(busy)} of {count(concurrency)}
            </span>
          </>
        )}
        <span className="quiet">
          {!isSilent && (
            <>
              up <Age at={startedAt} />,{" "}
            </>
          )}
          {!isGone && (
            <>
              seen <Relative at={seenAt} />
            </>
          )}
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

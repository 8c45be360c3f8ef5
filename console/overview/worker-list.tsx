import { Bar } from "../parts/bar.tsx";
import { count, counted } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { Empty } from "../parts/states.tsx";
import { Age, Relative } from "../parts/time.tsx";
import type { WorkerOverview } from "../service/answers.ts";
import { useNow } from "../service/clock.ts";
import { QuietNote, WorkerHand } from "./quiet-worker.tsx";

/** A stale worker without jobs is folded away after that. */
const FOLDED_AFTER_MS = 60_000;

interface WorkersProps {
  readonly workers: readonly WorkerOverview[];
}

/** The workers, and the jobs that each of them runs since when. */
export function WorkerList({ workers, isRefusing }: WorkersProps & { readonly isRefusing: boolean }) {
  const now = useNow();
  const isFolded = ({ isSilent, seenAt, holds, stillRuns }: WorkerOverview) =>
    isSilent && holds.length + stillRuns.length === 0 && now - Date.parse(seenAt) > FOLDED_AFTER_MS;
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
          <summary>
            {counted(processesOf(folded).length, "worker")} without a heartbeat, and without jobs
          </summary>
          <Workers workers={folded} />
        </details>
      )}
    </>
  );
}

function Workers({ workers }: WorkersProps) {
  return (
    <ul className="worker-list">
      {processesOf(workers).map((process) => (
        <li key={`${process[0]?.name} ${process[0]?.startedAt}`}>
          <Process workers={process} />
        </li>
      ))}
    </ul>
  );
}

/** The workers of each process, one a queue; those in trouble first. */
function processesOf(workers: readonly WorkerOverview[]): WorkerOverview[][] {
  const processes = new Map<string, WorkerOverview[]>();
  for (const worker of workers) processes.set(worker.name, [...(processes.get(worker.name) ?? []), worker]);
  const trouble = (process: readonly WorkerOverview[]) => process.flatMap(faultsOf).length;
  return [...processes.values()].toSorted((one, other) => trouble(other) - trouble(one));
}

/** `running` is up to one heartbeat old; `holds` is current, but lists only a few jobs. */
export function busySlots({ running, holds, isSilent }: WorkerOverview): number {
  return isSilent ? holds.length : Math.max(running, holds.length);
}

/** What a process was told; null where it may claim jobs of all its queues. */
function quietOf(workers: readonly WorkerOverview[]): WorkerOverview["quiet"] {
  return workers.find(({ quiet }) => quiet !== null)?.quiet ?? null;
}

const GONE = "stopped: another worker gets its jobs";

function faultsOf({ isSilent, isGone, isClockWrong, isStuck }: WorkerOverview): string[] {
  return [
    ...(isSilent ? [isGone ? GONE : "stale: gone, or cut off from Redis"] : []),
    ...(isClockWrong ? ["clock wrong: claims nothing"] : []),
    ...(isStuck ? ["stuck: claims nothing while jobs wait"] : []),
  ];
}

function Process({ workers }: WorkersProps) {
  const [first, ...others] = workers;
  if (first === undefined) return null;
  const shared = faultsOf(first).filter((fault) => others.every((other) => faultsOf(other).includes(fault)));
  const alive = workers.find(({ isSilent }) => !isSilent);
  const seen = workers.find(({ isGone }) => !isGone);
  const quiet = quietOf(workers);
  return (
    <>
      <div className="worker-head">
        <Text of={first.name} isCode />
        <Faults of={shared} />
        {quiet !== null && <QuietNote quiet={quiet} />}
        <span className="quiet">
          {seen?.version != null && (
            <>
              version <Text of={seen.version} />,{" "}
            </>
          )}
          {alive !== undefined && (
            <>
              up <Age at={alive.startedAt} />,{" "}
            </>
          )}
          {seen !== undefined && (
            <>
              seen <Relative at={seen.seenAt} />
            </>
          )}
        </span>
        {seen !== undefined && <WorkerHand name={first.name} quiet={quiet} />}
      </div>
      <ul>
        {workers.map((worker) => (
          <li key={`${worker.queue} ${worker.startedAt}`}>
            <OnQueue worker={worker} faults={faultsOf(worker).filter((fault) => !shared.includes(fault))} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Faults({ of }: { readonly of: readonly string[] }) {
  return of.map((fault) => (
    <span key={fault} className="tag bad">
      {fault}
    </span>
  ));
}

interface OnQueueProps {
  readonly worker: WorkerOverview;
  /** What is wrong here, and not with the whole process. */
  readonly faults: readonly string[];
}

function OnQueue({ worker, faults }: OnQueueProps) {
  const { queue, isGone, isSilent, concurrency, lastClaimedAt, holds, stillRuns } = worker;
  const busy = busySlots(worker);
  return (
    <>
      <div className="worker-load">
        <Text of={queue} />
        {!isGone && (
          <>
            <Bar value={busy} of={concurrency} />
            <span className={busy === 0 ? "quiet" : ""}>
              {count(busy)} of {count(concurrency)}
            </span>
          </>
        )}
        <Faults of={faults} />
        {lastClaimedAt !== null && (
          <span className="quiet">
            last claimed <Relative at={lastClaimedAt} />
          </span>
        )}
      </div>
      {stillRuns.length > 0 && (
        <details open>
          <summary>
            {counted(stillRuns.length, "handler")} told to stop, and {isSilent ? "perhaps " : ""}still running
          </summary>
          <ul className="holds">
            {stillRuns.map(({ jobId, type, toldAt }) => (
              <li key={`${jobId} ${toldAt}`}>
                <JobLink id={jobId} /> <Text of={type} /> <span className="quiet">told</span>{" "}
                <Relative at={toldAt} />
              </li>
            ))}
          </ul>
        </details>
      )}
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

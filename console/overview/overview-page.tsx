import { Fold } from "../parts/fold.tsx";
import { counted } from "../parts/format.ts";
import { Page, Section } from "../parts/page.tsx";
import { Loading, ProblemNote } from "../parts/states.tsx";
import type { RedisOverview, WorkerOverview } from "../service/answers.ts";
import { refusesWork, useLive } from "../service/live.tsx";
import { Attention } from "./attention.tsx";
import { PercentileTable } from "./percentile-table.tsx";
import { QueueTable } from "./queue-table.tsx";
import { Guarantees, RedisFacts } from "./redis-facts.tsx";
import { Throughput } from "./throughput.tsx";
import { busySlots, WorkerList } from "./worker-list.tsx";
import "./overview.css";

/** Is it well, what needs a person, what is slow: in this order. */
export function OverviewPage() {
  const { overview, refused, trouble, isStale } = useLive();
  // Old ones may be mended.
  const isRefusing = !isStale && overview?.problems.some(refusesWork) === true;
  const problem = refused ?? (overview === null ? trouble : null);
  return (
    <Page title="Overview">
      {problem !== null && <ProblemNote thrown={problem} />}
      {overview === null && problem === null && <Loading />}
      {overview !== null && (
        <div className="overview">
          <Attention overview={overview} isStale={isStale} />
          <Section title="Queues" className="wide">
            <QueueTable queues={overview.queues} types={overview.types} at={overview.at} />
          </Section>
          <Throughput live={overview.history} />
          <div className="aside-column">
            <Section title="How long it takes">
              <PercentileTable timeToStart={overview.timeToStart} runTime={overview.runTime} />
            </Section>
            <Section title="Redis">
              <RedisFacts
                store={overview.store}
                queues={overview.queues}
                isStale={isStale}
                isRefusing={isRefusing}
              />
            </Section>
          </div>
          <Fold title="Workers" line={aboutWorkers(overview.workers)}>
            <WorkerList workers={overview.workers} isRefusing={isRefusing} />
          </Fold>
          <Fold
            title="Guarantees"
            line={aboutGuarantees(overview.store.guarantees, { isStale, isRefusing })}
            isUrgent={!isStale && overview.store.guarantees.some(({ holds }) => !holds)}
          >
            <Guarantees guarantees={overview.store.guarantees} isStale={isStale} />
          </Fold>
        </div>
      )}
    </Page>
  );
}

function aboutWorkers(workers: readonly WorkerOverview[]): string {
  const alive = workers.filter(({ isSilent }) => !isSilent);
  const processes = new Set(alive.map(({ name }) => name)).size;
  const busy = alive.reduce((total, worker) => total + busySlots(worker), 0);
  const slots = alive.reduce((total, { concurrency }) => total + concurrency, 0);
  if (processes === 0) return "none is running";
  const quiet = new Set(alive.filter(({ quiet }) => quiet !== null).map(({ name }) => name)).size;
  const more = quiet === 0 ? "" : `, ${quiet} quiet`;
  return `${counted(processes, "worker")}${more}, ${busy} of ${counted(slots, "slot")} busy`;
}

interface Doubts {
  readonly isStale: boolean;
  readonly isRefusing: boolean;
}

function aboutGuarantees(guarantees: RedisOverview["guarantees"], { isStale, isRefusing }: Doubts): string {
  if (isStale) return "not known now";
  const broken = guarantees.filter(({ holds }) => !holds).length;
  if (broken > 0) return `${broken} of ${guarantees.length} ${broken === 1 ? "does" : "do"} not hold`;
  return isRefusing
    ? "the settings of Redis are right; work is refused, see the top"
    : `${guarantees.length} guarantees hold`;
}

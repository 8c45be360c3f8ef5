import { Page, Section } from "../parts/page.tsx";
import { Loading, ProblemNote } from "../parts/states.tsx";
import type { RedisOverview, WorkerOverview } from "../service/answers.ts";
import { refusesWork, useLive } from "../service/live.tsx";
import { OverviewHeadlines } from "./headlines.tsx";
import { PercentileTable } from "./percentile-table.tsx";
import { Problems } from "./problems.tsx";
import { QueueTable } from "./queue-table.tsx";
import { Guarantees, RedisFacts } from "./redis-facts.tsx";
import { Throughput } from "./throughput.tsx";
import { TypeTable } from "./type-table.tsx";
import { busySlots, WorkerList } from "./worker-list.tsx";
import "./overview.css";

/** The state of the service at a glance. */
export function OverviewPage() {
  const { overview, refused, trouble, isStale } = useLive();
  // Old ones may be mended.
  const problems = isStale ? [] : (overview?.problems ?? []);
  const isRefusing = problems.some(refusesWork);
  const problem = refused ?? (overview === null ? trouble : null);
  return (
    <Page title="Overview">
      {problem !== null && <ProblemNote thrown={problem} />}
      {overview === null && problem === null && <Loading />}
      <Problems problems={problems} />
      {overview !== null && (
        <div className="overview">
          {problems.length === 0 && <BrokenGuarantees guarantees={overview.store.guarantees} />}
          <OverviewHeadlines overview={overview} />
          <Throughput live={overview.history} />
          <Section title="How long it takes">
            <PercentileTable timeToStart={overview.timeToStart} runTime={overview.runTime} />
          </Section>
          <Section title="Types" aside="each column says of when it is" className="wide">
            <TypeTable types={overview.types} />
          </Section>
          <Section title="Queues" aside="jobs that are kept now, and rates of the last 10 s" className="wide">
            <QueueTable queues={overview.queues} at={overview.at} />
          </Section>
          <Section title="Workers" aside={aboutWorkers(overview.workers)}>
            <WorkerList workers={overview.workers} isRefusing={isRefusing} />
          </Section>
          <Section title="Redis">
            <RedisFacts
              store={overview.store}
              queues={overview.queues}
              isStale={isStale}
              isRefusing={isRefusing}
            />
          </Section>
          <Section
            title={isStale || isRefusing ? "Guarantees" : "Guarantees in force"}
            aside={aboutGuarantees(overview.store.guarantees, { isStale, isRefusing })}
            className="wide"
          >
            <Guarantees guarantees={overview.store.guarantees} isStale={isStale} />
          </Section>
        </div>
      )}
    </Page>
  );
}

/** At the top, because on a phone the list of guarantees is far below. */
function BrokenGuarantees({ guarantees }: Pick<RedisOverview, "guarantees">) {
  const broken = guarantees.filter(({ holds }) => !holds);
  if (broken.length === 0) return null;
  return (
    <div className="problem" role="status">
      <p className="problem-title">Redis does not meet its requirements</p>
      <p>
        Not met: {broken.map(({ name }) => `“${name}”`).join(", ")}. See <i>Guarantees in force</i> for what
        can be lost and how to fix it.
      </p>
    </div>
  );
}

function aboutWorkers(workers: readonly WorkerOverview[]): string {
  const running = workers.reduce((total, worker) => total + (worker.isSilent ? 0 : busySlots(worker)), 0);
  const room = workers.reduce((total, { isSilent, concurrency }) => total + (isSilent ? 0 : concurrency), 0);
  return `${running} of ${room} slots busy`;
}

interface Doubts {
  readonly isStale: boolean;
  readonly isRefusing: boolean;
}

function aboutGuarantees(guarantees: RedisOverview["guarantees"], { isStale, isRefusing }: Doubts): string {
  if (isStale) return "not known now";
  const broken = guarantees.filter(({ holds }) => !holds).length;
  if (broken > 0) return `${broken} of ${guarantees.length} ${broken === 1 ? "does" : "do"} not hold`;
  return isRefusing ? "settings of Redis alone: work is refused, see the top" : "all hold";
}

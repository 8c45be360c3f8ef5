import { Page, Section } from "../parts/page.tsx";
import { Loading, ProblemNote } from "../parts/states.tsx";
import { useLive } from "../service/live.tsx";
import { Headlines } from "./headlines.tsx";
import { PercentileTable } from "./percentile-table.tsx";
import { QueueTable } from "./queue-table.tsx";
import { StoreFacts } from "./store-facts.tsx";
import { ThroughputChart } from "./throughput-chart.tsx";
import { WorkerList } from "./worker-list.tsx";
import "./overview.css";

/** How the service is, at a glance. */
export function OverviewPage() {
  const { overview, refused } = useLive();
  return (
    <Page title="Overview">
      {refused !== null && <ProblemNote thrown={refused} />}
      {overview === null && refused === null && <Loading />}
      {overview !== null && (
        <div className="overview">
          <Headlines overview={overview} />
          <Section title="Throughput" aside="jobs a second" className="throughput">
            <ThroughputChart history={overview.history} />
          </Section>
          <Section title="How long it takes" className="percentiles">
            <PercentileTable timeToStart={overview.timeToStart} runTime={overview.runTime} />
          </Section>
          <Section title="Queues" className="wide">
            <QueueTable queues={overview.queues} />
          </Section>
          <Section title="Workers" aside={aboutWorkers(overview.workers)} className="workers">
            <WorkerList workers={overview.workers} />
          </Section>
          <Section title="Store and guarantees" className="store">
            <StoreFacts store={overview.store} />
          </Section>
        </div>
      )}
    </Page>
  );
}

function aboutWorkers(
  workers: readonly { readonly running: number; readonly concurrency: number }[],
): string {
  const running = workers.reduce((total, worker) => total + worker.running, 0);
  const room = workers.reduce((total, worker) => total + worker.concurrency, 0);
  return `${running} of ${room} slots busy`;
}

import { count, counted, rate } from "../parts/format.ts";
import { Headline, Headlines } from "../parts/headline.tsx";
import { Age } from "../parts/time.tsx";
import type { Overview, QueueOverview } from "../service/answers.ts";

/** First the two numbers that need a person, then the rest. */
export function OverviewHeadlines({ overview }: { readonly overview: Overview }) {
  const { queues, workers, problems } = overview;
  // Where something is wrong, a 0 may be what was lost.
  const isWell = problems.length === 0;
  const cancelled = sum(queues, "cancelled");
  const failed = sum(queues, "failed") - cancelled;
  const inDoubt = sum(queues, "inDoubt");
  const alive = workers.filter(({ isSilent }) => !isSilent);
  const oldestDoubt = oldest(queues.map((queue) => queue.oldestDoubtSince));
  const noDoubt = isWell ? "nothing to resolve" : "as far as is known";
  const oldestWaiting = oldest(queues.map((queue) => queue.oldestWaitingSince));
  return (
    <Headlines>
      <Headline
        to="/failed"
        name="Failed"
        value={count(failed)}
        tone={failed > 0 ? "bad" : "calm"}
        note={`${failed > 0 ? "need a look" : isWell ? "nothing to do" : "as far as is known"}${cancelled > 0 ? `; ${count(cancelled)} cancelled besides` : ""}`}
      />
      <Headline
        to="/doubts"
        name="In doubt"
        value={count(inDoubt)}
        tone={inDoubt > 0 ? "doubt" : "calm"}
        note={oldestDoubt === null ? noDoubt : <OldestFor at={oldestDoubt} />}
      />
      <Headline
        to="/jobs?state=waiting"
        name="Waiting"
        value={count(sum(queues, "waiting") + sum(queues, "prioritized"))}
        note={
          oldestWaiting === null ? (
            isWell ? (
              "no job waits"
            ) : (
              "as far as is known"
            )
          ) : (
            <OldestFor at={oldestWaiting} />
          )
        }
      />
      <Headline
        to="/jobs?state=active"
        name="Running"
        value={count(sum(queues, "active"))}
        note={`on ${counted(new Set(alive.map(({ name }) => name)).size, "worker")}`}
      />
      <Headline
        to="/jobs?state=completed"
        name="Completed a second"
        value={rate(sum(queues, "completedPerSecond"))}
        note={`over 10 s; ${rate(sum(queues, "failedPerSecond"))} failed a second`}
      />
    </Headlines>
  );
}

function OldestFor({ at }: { readonly at: string }) {
  return (
    <>
      the oldest for <Age at={at} />
    </>
  );
}

type Counted = {
  [Name in keyof QueueOverview]: QueueOverview[Name] extends number ? Name : never;
}[keyof QueueOverview];

function sum(queues: readonly QueueOverview[], name: Counted): number {
  return queues.reduce((total, queue) => total + queue[name], 0);
}

function oldest(instants: readonly (string | null)[]): string | null {
  return instants.filter((at) => at !== null).sort()[0] ?? null;
}

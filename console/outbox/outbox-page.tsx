import { useQuery } from "@tanstack/react-query";
import { count, duration, rate } from "../parts/format.ts";
import { Headline, Headlines } from "../parts/headline.tsx";
import { Page } from "../parts/page.tsx";
import { Loaded } from "../parts/states.tsx";
import { ParkedRows } from "./parked-rows.tsx";
import { type OutboxReading, outboxQuery } from "./queries.ts";

/** Where the service stops counting. */
const COUNTED_MAX = 100_000;

/** What waits in the database for a relay, and what cannot be relayed. */
export function OutboxPage() {
  const outbox = useQuery(outboxQuery());
  return (
    <Page
      title="Outbox"
      lead="Submissions that were committed with a transaction of the application's database."
      guide="outbox.md"
    >
      <Loaded query={outbox}>
        {(reading) => (
          <>
            <Numbers reading={reading} />
            <ParkedRows parked={reading.parked} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Numbers({ reading }: { readonly reading: OutboxReading }) {
  const { waiting, parked, oldestWaitingMs, relays, addedPerSecond, removedPerSecond } = reading;
  return (
    <Headlines>
      <Headline
        name="Parked"
        value={atLeast(parked)}
        tone={parked > 0 ? "bad" : "calm"}
        note={parked > 0 ? "need a look" : "nothing to do"}
      />
      <Headline
        name="Relays"
        value={count(relays)}
        tone={relays === 0 ? "bad" : "calm"}
        note={relays === 0 ? "none runs: holdfast relay" : "are connected"}
      />
      <Headline
        name="Waiting"
        value={atLeast(waiting)}
        note={waiting === 0 ? "no row waits" : "for a relay"}
      />
      <Headline
        name="Lag"
        value={duration(Math.round(oldestWaitingMs))}
        note={waiting === 0 ? "nothing is late" : "so long has the oldest row waited"}
      />
      <Headline
        name="Relayed a second"
        value={rateOrNone(removedPerSecond)}
        note={`over 30 s; ${rateOrNone(addedPerSecond)} added a second`}
      />
    </Headlines>
  );
}

function atLeast(rows: number): string {
  return `${count(rows)}${rows === COUNTED_MAX ? "+" : ""}`;
}

function rateOrNone(perSecond: number | null): string {
  return perSecond === null ? "–" : rate(perSecond);
}

import { useQuery } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { ResolveButton } from "../doubts/resolve-dialog.tsx";
import { FilterRow, useFilterInAddress } from "../parts/filter-row.tsx";
import { guardedFields } from "../parts/filters.ts";
import { count, counted } from "../parts/format.ts";
import { Guide } from "../parts/guide.tsx";
import { JobLink, Text } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { Mark, wordOf } from "../parts/mark.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative, TimeOfDay } from "../parts/time.tsx";
import { useNeedsPerson } from "../service/live.tsx";
import { useFreshOn } from "../service/use-fresh-on.ts";
import { type Guarded, guardedQuery, LISTED_MAX } from "./queries.ts";

const known = { state: ["reserved", "done", "in-doubt"] } as const;
const names = guardedFields.map(({ name }) => name);

/** Side effects that no job runs: those of guards. */
export function GuardedPage() {
  const { filter, setFilter, isFiltered } = useFilterInAddress(names);
  const guarded = useQuery(guardedQuery(filter));
  const { inDoubt } = useNeedsPerson();
  useFreshOn(inDoubt, ["guarded"]);
  return (
    <Page
      title="Guarded effects"
      guide="guard.md"
      isFilling
      lead="Side effects that no job runs: at most once for each key, by a guard."
    >
      <FilterRow
        label="Guarded effects"
        fields={guardedFields}
        filter={filter}
        onChange={setFilter}
        known={known}
        wordFor={(state) => wordOf(state as Guarded["state"])}
      />
      <Loaded query={guarded}>
        {(rows) => (
          <>
            <div className="list-head">
              <p role="status">
                {rows.length < LISTED_MAX
                  ? counted(rows.length, "effect")
                  : `The latest ${count(LISTED_MAX)}`}
                , as of <TimeOfDay at={guarded.dataUpdatedAt} />
              </p>
              <Button className="button small" onPress={() => void guarded.refetch()}>
                Refresh
              </Button>
            </div>
            <LongTable
              label="Guarded effects"
              look={look}
              rows={rows}
              empty={<None isFiltered={isFiltered} />}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function None({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered)
    return (
      <Empty title="No guarded effect matches.">
        What did not happen is not known, nor what is forgotten.
      </Empty>
    );
  return (
    <Empty title="No guarded effect yet.">
      A guard runs a side effect at most once, without a job.{" "}
      <Guide page="guard.md">How to guard one call</Guide>
    </Empty>
  );
}

function Key({ of: { id, idempotencyKey } }: { readonly of: Guarded }) {
  return <JobLink id={id}>{idempotencyKey === null ? undefined : <Text of={idempotencyKey} />}</JobLink>;
}

function TextOrNone({ of }: { readonly of: string | null }) {
  return of === null ? <span className="quiet">–</span> : <Text of={of} />;
}

function Resolve({ of: { id, effect, state } }: { readonly of: Guarded }) {
  return state === "in-doubt" && <ResolveButton jobId={id} effect={effect} />;
}

const look: LongTableLook<Guarded> = {
  rowHeight: 40,
  cardHeight: 132,
  columns: [
    { id: "key", title: "Key", width: "2fr", minWidth: 180, cell: (row) => <Key of={row} /> },
    {
      id: "effect",
      title: "Effect",
      width: "1fr",
      minWidth: 120,
      cell: ({ effect }) => <Text of={effect} />,
    },
    { id: "state", title: "State", width: 110, cell: ({ state }) => <Mark of={state} /> },
    { id: "since", title: "Since", width: 100, cell: ({ since }) => <Relative at={since} /> },
    {
      id: "about",
      title: "About",
      width: "2fr",
      minWidth: 160,
      cell: ({ about }) => <TextOrNone of={about} />,
    },
    { id: "by", title: "Asked by", width: "1fr", minWidth: 120, cell: ({ by }) => <TextOrNone of={by} /> },
    { id: "resolve", title: "Resolve", isTitleSpoken: true, width: 96, cell: (row) => <Resolve of={row} /> },
  ],
  card: (row) => (
    <div className="card">
      <div className="card-line">
        <Key of={row} />
        <Mark of={row.state} />
      </div>
      <TextOrNone of={row.about} />
      <div className="card-line quiet">
        <Text of={row.effect} />
        <Relative at={row.since} />
      </div>
      <div className="card-line">
        <TextOrNone of={row.by} />
        <Resolve of={row} />
      </div>
    </div>
  ),
};

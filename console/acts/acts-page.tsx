import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { Label, ProgressBar } from "react-aria-components";
import { useSearchParams } from "wouter";
import { Bar } from "../parts/bar.tsx";
import { ConfirmButton } from "../parts/dialog.tsx";
import { count } from "../parts/format.ts";
import { JobLink, Text, To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import type { ActDetail, ActStatus } from "../service/answers.ts";
import { query, service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { AuditLog } from "./audit-log.tsx";
import { actQuery, actsQuery } from "./queries.ts";

/** Acts on many jobs, and the audit log of everything that was done by hand. */
export function ActsPage() {
  const [params] = useSearchParams();
  const isLog = params.get("view") === "log";
  return (
    <Page
      title="Acts"
      isFilling={isLog}
      lead={
        isLog
          ? "Who did what by hand, and why, the latest first."
          : "Retries, cancellations and deletions of many jobs. Any worker runs them."
      }
    >
      <nav className="views" aria-label="Views">
        <To to="/acts" current={!isLog}>
          On many jobs
        </To>
        <To to="/acts?view=log" current={isLog}>
          Audit log
        </To>
      </nav>
      {isLog ? <AuditLog /> : <Acts />}
    </Page>
  );
}

/** How far each is, and a way to stop it. */
function Acts() {
  const acts = useQuery(actsQuery());
  return (
    <Loaded query={acts}>
      {(found) =>
        found.length === 0 ? (
          <Empty title="No act on many jobs.">
            The pages of jobs and of failures start them, and the command line.
          </Empty>
        ) : (
          <ul className="acts" aria-label="Acts">
            {found.map((act) => (
              <li key={act.id} className="section">
                <Act act={act} />
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

/** What has become of the jobs that an act has retried: asked for once somebody opens it. */
function Now({ id }: { readonly id: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>How they are now</summary>
      {isOpen && <NowLine id={id} />}
    </details>
  );
}

function NowLine({ id }: { readonly id: string }) {
  const act = useQuery(actQuery(id));
  return (
    <Loaded query={act}>
      {({ now }) =>
        now !== null && (
          <p>
            {!now.isExact && "at least "}
            {linesOfNow(now).map(({ some, what, filter }, at) => (
              <Fragment key={what}>
                {at > 0 && ", "}
                {filter === null ? (
                  `${count(some)} ${what}`
                ) : (
                  <To to={`/jobs${query({ act: id, ...filter })}`}>{`${count(some)} ${what}`}</To>
                )}
              </Fragment>
            ))}
          </p>
        )
      }
    </Loaded>
  );
}

function linesOfNow(now: NonNullable<ActDetail["now"]>) {
  const lines = [
    { some: now.completed, what: "completed", filter: { state: "completed" } },
    { some: now.failed, what: "failed again", filter: { state: "failed" } },
    { some: now.cancelled, what: "cancelled", filter: null },
    { some: now.inDoubt, what: "in doubt", filter: null },
    { some: now.unfinished, what: "not ended", filter: null },
    { some: now.gone, what: "not kept any more", filter: null },
  ];
  return lines.filter(({ some }) => some > 0);
}

function Act({ act }: { readonly act: ActStatus }) {
  const { id, jobs, state, reason, by, rate, startedAt, skipped, error } = act;
  // Those that changed before it came to them are not its own any more.
  const changed = state === "done" ? Math.max(skipped, (act.total ?? 0) - act.done) : skipped;
  return (
    <>
      <div className="section-head">
        <h2>
          <Text of={`${titles[act.act]} ${jobs}`} />
        </h2>
        {act.endedAt === null && <Stop id={id} />}
      </div>
      <ActProgress act={act} />
      <p className="quiet">
        {state}
        {changed > 0 && `, ${count(changed)} had changed`}
        {isUnsure(act) && "; jobs moved too fast to know whether any is left: start it again"}
        {rate !== null && `, at most ${rate}`} · <Text of={by} /> · <Relative at={startedAt} /> ·{" "}
        <JobLink id={id}>its job</JobLink>
      </p>
      <p>
        <Text of={reason} />
      </p>
      {act.act === "retry" && act.endedAt !== null && act.done > 0 && <Now id={id} />}
      {error !== null && (
        <p className="bad">
          <Text of={error} />
        </p>
      )}
    </>
  );
}

/** It passes until nothing is left, and gives up where nobody can know. */
function isUnsure({ state, remaining }: ActStatus): boolean {
  return state === "done" && remaining === null;
}

const titles = { retry: "Retry", cancel: "Cancel", delete: "Delete" } as const;
const dones = { retry: "Retried", cancel: "Cancelled", delete: "Deleted" } as const;

function ActProgress({ act }: { readonly act: ActStatus }) {
  const had = act.done + act.skipped;
  const total = Math.max(act.total ?? 0, had);
  const text = act.total === null ? "counting" : `${count(act.done)} of ${count(total)}`;
  return (
    <ProgressBar className="progress" value={act.done} maxValue={Math.max(total, 1)} valueLabel={text}>
      <Label>{dones[act.act]}</Label>
      <span className="progress-text">{text}</span>
      <Bar value={act.done} of={total} />
    </ProgressBar>
  );
}

function Stop({ id }: { readonly id: string }) {
  const client = useQueryClient();
  const mayStop = useMay("operate");
  if (!mayStop) return null;
  return (
    <ConfirmButton
      label="Stop…"
      title="Stop this act?"
      action="Stop"
      onConfirm={async () => {
        await service.stopAct(id);
        await client.invalidateQueries({ queryKey: ["acts"] });
      }}
    >
      <p>What it has done stays done.</p>
    </ConfirmButton>
  );
}

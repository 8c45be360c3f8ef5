import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useState } from "react";
import { Button } from "react-aria-components";
import { jobQuery } from "../jobs/queries.ts";
import { Window } from "../parts/dialog.tsx";
import { Json } from "../parts/json.tsx";
import { Text } from "../parts/link.tsx";
import { Instant } from "../parts/time.tsx";
import type { Doubt } from "../service/answers.ts";
import { useMay } from "../service/session.ts";
import { doubtsQuery } from "./queries.ts";
import { SettleForm } from "./settle-form.tsx";
import "./settle.css";

/** An effect in doubt, and what the list of doubts knows about it, where it came from there. */
export interface ToBeSettled {
  readonly jobId: string;
  readonly effect: string;
  readonly doubt?: Doubt;
}

const SettleContext = createContext<(doubt: ToBeSettled) => void>(() => {});

export function SettleProvider({ children }: { readonly children: ReactNode }) {
  const [open, setOpen] = useState<ToBeSettled | null>(null);
  return (
    <SettleContext value={setOpen}>
      {children}
      {open !== null && (
        <Window title={`Settle “${open.effect}”`} isOpen onClose={() => setOpen(null)}>
          <Known {...open} />
          <SettleForm jobId={open.jobId} effect={open.effect} onClose={() => setOpen(null)} />
        </Window>
      )}
    </SettleContext>
  );
}

/** Opens the window that settles; it stays, whatever becomes of the row it was opened from. */
export function SettleButton(toBeSettled: ToBeSettled) {
  const open = useContext(SettleContext);
  if (!useMay("operate")) return null;
  return (
    <Button
      className="button small"
      aria-label={`Settle ${toBeSettled.effect} of ${toBeSettled.jobId}`}
      onPress={() => open(toBeSettled)}
    >
      Settle…
    </Button>
  );
}

/** What there is to go by. */
function Known({ jobId, effect, doubt }: ToBeSettled) {
  const job = useQuery(jobQuery(jobId));
  const listed = useInfiniteQuery({ ...doubtsQuery(), enabled: doubt === undefined });
  const found = doubt ?? listed.data?.find((row) => row.jobId === jobId && row.effect === effect);
  return (
    <dl className="facts known">
      <dt>Job</dt>
      <dd>
        <Text of={jobId} isCode />
      </dd>
      {job.data !== undefined && (
        <>
          <dt>Type and key</dt>
          <dd>
            <Text of={job.data.type} /> · <Text of={job.data.idempotencyKey} isCode />
          </dd>
        </>
      )}
      {found !== undefined && <FromTheList doubt={found} />}
      {job.data !== undefined && (
        <>
          <dt>Payload</dt>
          <dd>
            <Json value={job.data.payload} label="Payload" />
          </dd>
        </>
      )}
    </dl>
  );
}

function FromTheList({ doubt }: { readonly doubt: Doubt }) {
  const { effectKey, since, reason, worker, start, report } = doubt;
  return (
    <>
      <dt>Its key downstream</dt>
      <dd>{effectKey === null ? "not known: its name cannot be opened" : <Text of={effectKey} isCode />}</dd>
      <dt>In doubt since</dt>
      <dd>
        <Instant at={since} />
      </dd>
      <dt>Why</dt>
      <dd>
        <Text of={reason} />
      </dd>
      <dt>Who ran it</dt>
      <dd>
        <Text of={worker} isCode />, at start {start} of the job
      </dd>
      {report !== null && (
        <>
          <dt>Heard later</dt>
          <dd>
            Its worker said <b>{report === "done" ? "done" : "not done"}</b>: too late to count, but good
            evidence.
          </dd>
        </>
      )}
    </>
  );
}

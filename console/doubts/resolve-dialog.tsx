import { useQuery } from "@tanstack/react-query";
import { createContext, Fragment, type ReactNode, useContext, useState } from "react";
import { Button } from "react-aria-components";
import { hintText, verdictFirst } from "../../src/evidence/outgoing/outgoing-text.ts";
import { jobQuery } from "../jobs/queries.ts";
import { Window } from "../parts/dialog.tsx";
import { Json } from "../parts/json.tsx";
import { isCall, Text } from "../parts/link.tsx";
import { Instant, Relative } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { Doubt } from "../service/answers.ts";
import { useMay } from "../service/session.ts";
import { Asked, AskProbes } from "./probe.tsx";
import { type DoubtToResolve, useDoubt } from "./queries.ts";
import { ResolveForm } from "./resolve-form.tsx";
import "./resolve.css";

const ResolveContext = createContext<(doubt: DoubtToResolve) => void>(() => {});

export function ResolveProvider({ children }: { readonly children: ReactNode }) {
  const [open, setOpen] = useState<DoubtToResolve | null>(null);
  const [isHeld, setHeld] = useState(false);
  const close = () => setOpen(null);
  return (
    <ResolveContext value={setOpen}>
      {children}
      {open !== null && (
        <Window title={`Resolve “${open.effect}”`} isOpen onClose={close} isDismissable={!isHeld}>
          <Known {...open} onAsked={close} />
          <ResolveForm {...open} onClose={close} onHeld={setHeld} />
        </Window>
      )}
    </ResolveContext>
  );
}

/** Opens the window, which stays open even if the row disappears. */
export function ResolveButton({
  isMain = false,
  ...doubtToResolve
}: DoubtToResolve & { readonly isMain?: boolean }) {
  const open = useContext(ResolveContext);
  if (!useMay("operate")) return null;
  return (
    <Button
      className={isMain ? "button main" : "button small"}
      aria-label={visible(`Resolve ${doubtToResolve.effect} of ${doubtToResolve.jobId}`)}
      onPress={() => open(doubtToResolve)}
    >
      Resolve…
    </Button>
  );
}

/** What is known about it. */
function Known({ jobId, effect, doubt, onAsked }: DoubtToResolve & { readonly onAsked: () => void }) {
  const job = useQuery({ ...jobQuery(jobId), enabled: !isCall(jobId) });
  const found = useDoubt({ jobId, effect, ...(doubt && { doubt }) });
  return (
    <dl className="facts known">
      <dt>{isCall(jobId) ? "Call" : "Job"}</dt>
      <dd>
        <Text of={jobId} isCode />
      </dd>
      {isCall(jobId) && found !== undefined && <OfTheCall doubt={found} />}
      {job.data !== undefined && (
        <>
          <dt>Type and key</dt>
          <dd>
            <Text of={job.data.type} /> · <Text of={job.data.idempotencyKey} isCode />
          </dd>
        </>
      )}
      {found !== undefined && <FromTheList doubt={found} />}
      {found !== undefined && <Probe doubt={found} onAsked={onAsked} />}
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

/** What its caller said of it. */
function OfTheCall({ doubt: { idempotencyKey, by, about } }: { readonly doubt: Doubt }) {
  const facts = [
    ["Key", idempotencyKey],
    ["About", about],
    ["Asked by", by],
  ] as const;
  return facts.map(([name, text]) =>
    text == null ? null : (
      <Fragment key={name}>
        <dt>{name}</dt>
        <dd>
          <Text of={text} />
        </dd>
      </Fragment>
    ),
  );
}

/** Somebody need not look where the effect's own probe can. */
function Probe({ doubt, onAsked }: { readonly doubt: Doubt; readonly onAsked: () => void }) {
  if (!doubt.mayAskProbe) return null;
  return (
    <>
      <dt>Its probe</dt>
      <dd>
        <AskProbes doubts={[doubt]} onDone={onAsked} /> <Asked doubt={doubt} />
        <p className="quiet">
          A worker runs the job again for that. Done stays done; where the probe says “not done”, the effect
          runs.
        </p>
      </dd>
    </>
  );
}

function FromTheList({ doubt }: { readonly doubt: Doubt }) {
  const {
    jobId,
    effectKey,
    since,
    reason,
    worker,
    start,
    report,
    evidence,
    hint,
    mayStillRun,
    workerSeenAt,
  } = doubt;
  return (
    <>
      <dt>Key downstream</dt>
      <dd>
        {effectKey === null ? "not known: its name cannot be decrypted" : <Text of={effectKey} isCode />}
      </dd>
      <dt>In doubt since</dt>
      <dd>
        <Instant at={since} />
      </dd>
      <dt>Why</dt>
      <dd>
        <Text of={reason} />
      </dd>
      <dt>What it sent</dt>
      <dd>
        <Text of={verdictFirst(evidence)} />
      </dd>
      {hint && (
        <>
          <dt>Next time</dt>
          <dd>
            <Text of={hintText(hint)} />
          </dd>
        </>
      )}
      <dt>Who ran it</dt>
      <dd>
        <Text of={worker} isCode />
        {!isCall(jobId) && `, at start ${start} of the job`}
      </dd>
      {mayStillRun && (
        <>
          <dt>May still be under way</dt>
          <dd className="bad">
            Its first run may act yet
            {workerSeenAt !== null && (
              <>
                : its worker was seen <Relative at={workerSeenAt} />
              </>
            )}
            .
          </dd>
        </>
      )}
      {report !== null && (
        <>
          <dt>Reported later</dt>
          <dd>
            Its worker reported <b>{report === "done" ? "done" : "not done"}</b>: too late to count, but good
            evidence.
          </dd>
        </>
      )}
    </>
  );
}

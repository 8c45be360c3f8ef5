import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { Button, Input, Label, ProgressBar, TextField } from "react-aria-components";
import { Bar } from "../parts/bar.tsx";
import { Form, Window } from "../parts/dialog.tsx";
import { count, counted } from "../parts/format.ts";
import { Text, To } from "../parts/link.tsx";
import { Reason } from "../parts/reason.tsx";
import { ProblemNote } from "../parts/states.tsx";
import { serviceNow } from "../service/clock.ts";
import { newKey } from "../service/new-key.ts";
import {
  countOf,
  isAct,
  LEFT,
  nothingRetried,
  type RetryPlan,
  type RetryProgress,
  type RetryTerms,
  retryAll,
} from "./retry.ts";

const RetryContext = createContext<(plan: RetryPlan) => void>(() => {});

/** Opens the window, which stays open even if the row disappears. */
export function useRetryDialog(): (plan: RetryPlan) => void {
  return useContext(RetryContext);
}

export function RetryProvider({ children }: { readonly children: ReactNode }) {
  const [plan, setPlan] = useState<RetryPlan | null>(null);
  return (
    <RetryContext value={setPlan}>
      {children}
      {plan !== null && <RetryDialog plan={plan} onClose={() => setPlan(null)} />}
    </RetryContext>
  );
}

type Phase =
  | { readonly name: "running" | "stopped" | "done" }
  /** `thrown`: why it ended, or why the service has not accepted what was asked before. */
  | { readonly name: "asking" | "broken"; readonly thrown: unknown };

function RetryDialog({ plan, onClose }: { readonly plan: RetryPlan; readonly onClose: () => void }) {
  const run = useRetryRun(plan);
  const { phase, progress } = run;
  const [terms, setTerms] = useState<RetryTerms>(() => newTerms(plan));
  const total = countOf(plan);
  const isMissing = isAct(plan) && terms.reason.trim() === "";
  const isReady = phase.name === "asking" && total > 0 && !isMissing;
  // What this page does itself ends with it; an act goes on.
  const isBound = phase.name === "running" && !isAct(plan);
  return (
    <Window
      title={`Retry ${plan.isAtLeast ? "at least " : ""}${counted(total, "failed job")}?`}
      isOpen
      onClose={onClose}
      isDismissable={!isBound}
      isAlert
    >
      <Form onSubmit={() => isReady && run.start(terms)}>
        {phase.name === "asking" && <Preview plan={plan} />}
        {phase.name === "asking" && isAct(plan) && <Terms terms={terms} onChange={setTerms} />}
        {phase.name !== "asking" && <Progress total={total} progress={progress} />}
        {phase.name === "running" && isAct(plan) && <WhoGoesOn plan={plan} progress={progress} />}
        <p role="status" className="window-text">
          {resultText(phase, progress, total)}
        </p>
        {"thrown" in phase && phase.thrown !== null && <ProblemNote thrown={phase.thrown} />}
        <div className="window-actions">
          {!isBound && (
            <Button className="button" onPress={onClose}>
              {phase.name === "asking" ? "Not now" : "Close"}
            </Button>
          )}
          {phase.name === "running" && (
            <Button className="button danger" onPress={run.stop}>
              Stop
            </Button>
          )}
          {phase.name === "asking" && (
            <Button type="submit" className="button main" isDisabled={!isReady}>
              Retry {counted(total, "job")}
            </Button>
          )}
        </div>
      </Form>
    </Window>
  );
}

function newTerms({ before = serviceNow() }: RetryPlan): RetryTerms {
  return { reason: "", rate: "", before, key: newKey() };
}

interface OnTheWay {
  readonly plan: RetryPlan;
  readonly progress: RetryProgress;
}

/** What becomes of it when this window is closed: nobody but the service knows what it has accepted. */
function WhoGoesOn({ plan: { parts }, progress: { accepted, act } }: OnTheWay) {
  const later = parts.length - accepted;
  const acts = <To to="/acts">All acts</To>;
  if (accepted === 0)
    return <p>Asking the service: nothing is accepted yet. If you close this window now, see {acts}.</p>;
  return (
    <p>
      {act === "unseen" && "The service does not answer now. "}
      {act === "waiting" && "Accepted; it waits for a worker. "}
      Workers do it, also without this window.
      {later > 0 && ` ${counted(later, "more reason")} will begin after it, while this window is open.`}{" "}
      {acts}
    </p>
  );
}

const LISTED_MAX = 8;

interface TermsProps {
  readonly terms: RetryTerms;
  readonly onChange: (terms: RetryTerms) => void;
}

function Terms({ terms, onChange }: TermsProps) {
  return (
    <>
      <Reason text={terms.reason} onChange={(reason) => onChange({ ...terms, reason, key: newKey() })} />
      <TextField
        className="field"
        value={terms.rate}
        onChange={(rate) => onChange({ ...terms, rate, key: newKey() })}
        maxLength={20}
      >
        <Label>At most, such as 50/s (optional)</Label>
        <Input />
      </TextField>
    </>
  );
}

function Preview({
  plan: { parts: all, lines: parts = all, inDoubt, cancelled, isAtLeast },
}: {
  readonly plan: RetryPlan;
}) {
  return (
    <div className="window-text">
      <ul className="plan">
        {parts.slice(0, LISTED_MAX).map(({ name, count: matching }) => (
          <li key={name}>
            <b>{count(matching)}</b> <Text of={name} />
          </li>
        ))}
        {parts.length > LISTED_MAX && <li>and {counted(parts.length - LISTED_MAX, "other reason")}</li>}
      </ul>
      <p>They get all their attempts again, oldest failure first. Effects that are done stay done.</p>
      {isAtLeast && <p>There are more failed jobs than were searched. All that match are retried.</p>}
      {cancelled > 0 && (
        <p>
          {counted(cancelled, "cancelled job")} {cancelled === 1 ? "stays as it is" : "stay as they are"}. To
          retry them, choose their reason.
        </p>
      )}
      {inDoubt > 0 && (
        <p>
          {counted(inDoubt, "job")} in doubt {inDoubt === 1 ? "stays as it is" : "stay as they are"}: resolve
          the doubts instead.
        </p>
      )}
    </div>
  );
}

function Progress({ total, progress }: { readonly total: number; readonly progress: RetryProgress }) {
  const done = progress.retried + progress.skipped;
  const text = `${count(done)} of ${count(Math.max(total, done))}`;
  return (
    <ProgressBar className="progress" value={done} maxValue={Math.max(total, done, 1)} valueLabel={text}>
      <Label>Retried</Label>
      <span className="progress-text">{text}</span>
      <Bar value={done} of={total} />
    </ProgressBar>
  );
}

function resultText({ name }: Phase, { retried, skipped }: RetryProgress, total: number): string {
  const outcome = `${counted(retried, "job")} retried${skipped === 0 ? "" : `, ${count(skipped)} had changed`}`;
  if (name === "done") return `Done: ${outcome}.`;
  if (name === "stopped") {
    const left = Math.max(0, total - retried - skipped);
    return `Stopped: ${outcome}, ${count(left)} left as they were.`;
  }
  return name === "broken" ? `Stopped by an error: ${outcome}.` : "";
}

function useRetryRun(plan: RetryPlan) {
  const client = useQueryClient();
  const [phase, setPhase] = useState<Phase>({ name: "asking", thrown: null });
  const [progress, setProgress] = useState(nothingRetried);
  const stopping = useRef(new AbortController());
  useEffect(() => () => stopping.current.abort(LEFT), []);

  async function run(terms: RetryTerms) {
    stopping.current = new AbortController();
    const { signal } = stopping.current;
    let last = nothingRetried;
    setPhase({ name: "running" });
    try {
      for await (last of retryAll(plan, terms, signal)) setProgress(last);
      setPhase({ name: signal.aborted ? "stopped" : "done" });
    } catch (thrown) {
      // Nothing is lost of what was typed, and the same terms can safely be sent again.
      const isRefused = isAct(plan) && last.accepted === 0;
      setPhase({ name: isRefused && !signal.aborted ? "asking" : "broken", thrown });
    }
    await Promise.all(
      ["failures", "jobs", "acts"].map((name) => client.invalidateQueries({ queryKey: [name] })),
    );
  }

  return {
    phase,
    progress,
    start: (terms: RetryTerms) => void run(terms),
    stop: () => stopping.current.abort(),
  };
}

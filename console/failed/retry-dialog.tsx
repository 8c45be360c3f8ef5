import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { Button, Input, Label, ProgressBar, TextField } from "react-aria-components";
import { Bar } from "../parts/bar.tsx";
import { Window } from "../parts/dialog.tsx";
import { count, counted } from "../parts/format.ts";
import { Text, To } from "../parts/link.tsx";
import { Reason } from "../parts/reason.tsx";
import { ProblemNote } from "../parts/states.tsx";
import {
  countOf,
  isAct,
  LEFT,
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
  | { readonly name: "asking" | "running" | "stopped" | "done" }
  | { readonly name: "broken"; readonly thrown: unknown };

function RetryDialog({ plan, onClose }: { readonly plan: RetryPlan; readonly onClose: () => void }) {
  const run = useRetryRun(plan);
  const { phase, progress } = run;
  const [terms, setTerms] = useState<RetryTerms>({ reason: "", rate: "" });
  const total = countOf(plan);
  const isMissing = isAct(plan) && terms.reason.trim() === "";
  const isRunning = phase.name === "running";
  return (
    <Window
      title={`Retry ${plan.isAtLeast ? "at least " : ""}${counted(total, "failed job")}?`}
      isOpen
      onClose={onClose}
      isDismissable={!isRunning}
      isAlert
    >
      {phase.name === "asking" && <Preview plan={plan} />}
      {phase.name === "asking" && isAct(plan) && <Terms terms={terms} onChange={setTerms} />}
      {phase.name !== "asking" && <Progress total={total} progress={progress} />}
      {isRunning && isAct(plan) && (
        <p className="window-text">
          Workers do it, also without this page. <To to="/acts">All acts</To>
        </p>
      )}
      <p role="status" className="window-text">
        {resultText(phase, progress, total)}
      </p>
      {phase.name === "broken" && <ProblemNote thrown={phase.thrown} />}
      <div className="window-actions">
        {isRunning ? (
          <Button className="button danger" onPress={run.stop}>
            Stop
          </Button>
        ) : (
          <Button className="button" onPress={onClose}>
            {phase.name === "asking" ? "Not now" : "Close"}
          </Button>
        )}
        {phase.name === "asking" && (
          <Button
            className="button main"
            onPress={() => run.start(terms)}
            isDisabled={total === 0 || isMissing}
          >
            Retry {counted(total, "job")}
          </Button>
        )}
      </div>
    </Window>
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
      <Reason text={terms.reason} onChange={(reason) => onChange({ ...terms, reason })} />
      <TextField
        className="field"
        value={terms.rate}
        onChange={(rate) => onChange({ ...terms, rate })}
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
  const outcome = `${counted(retried, "job")} retried${skipped === 0 ? "" : `, ${count(skipped)} no longer failed`}`;
  if (name === "done") return `Done: ${outcome}.`;
  if (name === "stopped") {
    const left = Math.max(0, total - retried - skipped);
    return `Stopped: ${outcome}, ${count(left)} left as they were.`;
  }
  return name === "broken" ? `Stopped by an error: ${outcome}.` : "";
}

function useRetryRun(plan: RetryPlan) {
  const client = useQueryClient();
  const [phase, setPhase] = useState<Phase>({ name: "asking" });
  const [progress, setProgress] = useState<RetryProgress>({ retried: 0, skipped: 0 });
  const stopping = useRef(new AbortController());
  useEffect(() => () => stopping.current.abort(LEFT), []);

  async function run(terms: RetryTerms) {
    stopping.current = new AbortController();
    const { signal } = stopping.current;
    setPhase({ name: "running" });
    try {
      for await (const step of retryAll(plan, terms, signal)) setProgress(step);
      setPhase({ name: signal.aborted ? "stopped" : "done" });
    } catch (thrown) {
      setPhase({ name: "broken", thrown });
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

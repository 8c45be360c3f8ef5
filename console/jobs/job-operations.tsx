import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmButton, useAsked } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import type { JobDetail } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { changedMeanwhile } from "../service/problem.ts";
import { useMay } from "../service/session.ts";

type Verb = "retry" | "cancel";

/** What helps a job. One in doubt goes on once the doubt is resolved. */
function verbFor({ state, effects }: JobDetail): Verb | undefined {
  if (state === "completed" || effects.some((effect) => effect.state === "in-doubt")) return undefined;
  return state === "failed" ? "retry" : "cancel";
}

/** What an operator may do to a job in its state. */
export function JobOperations({ job }: { readonly job: JobDetail }) {
  const { id, state } = job;
  const client = useQueryClient();
  const notice = useNotice();
  const mayOperate = useMay("operate");
  const [reason, setReason] = useState("");
  const now = verbFor(job);
  // A job that has failed again is another failure.
  const { what, isOver, onOpenChange } = useAsked(
    now === "retry" ? (`retry ${job.finishedAt}` as const) : now,
  );
  const verb = what?.startsWith("retry") ? "retry" : what === undefined ? undefined : "cancel";

  async function operate(verb: Verb) {
    const why = reason.trim();
    const expect = await requireSame(what);
    const request = { ...(why !== "" && { reason: why }), expect };
    const outcome = await (verb === "retry" ? service.retry(id, request) : service.cancel(id, request));
    setReason("");
    notice(outcomes[outcome]);
    await Promise.all(
      ["job", "jobs", "failures"].map((name) => client.invalidateQueries({ queryKey: [name] })),
    );
  }

  /** What the page shows can be old. @returns what the act is to compare in its own step */
  async function requireSame(asked: string | undefined) {
    const { state, finishedAt } = await service.detail(id);
    const isSame =
      state === "failed" ? asked === `retry ${finishedAt}` : state !== "completed" && asked === "cancel";
    if (!isSame) throw changedMeanwhile(`The job is ${state}.`);
    return { state, finishedAt };
  }

  if (!mayOperate || verb === undefined) return null;
  const words = { retry: "Retry", cancel: "Cancel" }[verb];
  return (
    <ConfirmButton
      label={words}
      title={`${words} this job?`}
      action={`${words} this job`}
      isDangerous={verb === "cancel"}
      over={isOver && `The job is ${state} meanwhile.`}
      onOpenChange={onOpenChange}
      onConfirm={() => operate(verb)}
    >
      <p>{verb === "retry" ? RETRIED : state === "active" ? CANCELLED_RUNNING : CANCELLED_WAITING}</p>
      <Reason text={reason} onChange={setReason} isOptional />
    </ConfirmButton>
  );
}

const RETRIED = "It gets all its attempts again, and keeps its id and key. Effects that are done stay done.";
const CANCELLED_RUNNING =
  "It is running: its signal is aborted, then it fails. A running effect may then be in doubt.";
const CANCELLED_WAITING = "It is not running: it fails at once. You can retry it later.";

const outcomes = {
  retried: "The job waits in its queue again.",
  cancelled: "The job is cancelled.",
  cancelling: "The job is being cancelled.",
};

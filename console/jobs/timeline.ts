import { verdictFirst } from "../../src/evidence/outgoing/outgoing-text.ts";
import { duration } from "../parts/format.ts";
import { isCancelled, type MarkName } from "../parts/mark.tsx";
import type { JobDetail } from "../service/answers.ts";

/** One thing that happened to a job, or will. */
export interface Moment {
  readonly id: string;
  /** ISO 8601; null if it was not recorded. */
  readonly at: string | null;
  readonly mark: MarkName;
  readonly title: string;
  /** Text from outside, e.g. an error's message. */
  readonly said?: string;
  /** Where it came from, e.g. an error's stack. */
  readonly trace?: string;
  /** Who did it, how long it took. */
  readonly facts?: readonly string[];
  /** The name of an effect that is in doubt. */
  readonly doubt?: string;
  /** All that is known of an effect that is done. */
  readonly answer?: string;
}

/** A job's life in chronological order; what is still to come, last. */
export function lifeOf(job: JobDetail): Moment[] {
  const past = [
    ...job.attempts.map(failedAttempt),
    ...job.lostWorkers.map(lostWorker),
    ...job.effects.map(effect),
    ...running(job),
  ];
  // The end comes last, even if it has the same time as an effect; only people still do something afterwards.
  const [before, after] = byHand(job);
  past.push(...before);
  past.sort((one, other) => Date.parse(one.at ?? "") - Date.parse(other.at ?? ""));
  return [submitted(job), ...crashes(job), ...past, ...end(job), ...after, ...next(job)];
}

function submitted({ submittedAt, priority, delayMs }: JobDetail): Moment {
  const facts: string[] = [];
  if (delayMs > 0) facts.push(`to run ${duration(delayMs)} later`);
  if (priority > 0) facts.push(`priority ${priority}`);
  return { id: "submitted", at: submittedAt, mark: "waiting", title: "Submitted", facts };
}

/** What people did to it, before and after its end. */
function byHand({ record, finishedAt }: JobDetail): [before: Moment[], after: Moment[]] {
  const end = Date.parse(finishedAt ?? "");
  const moments = record.map(
    ({ at, text }): Moment => ({
      id: `by hand ${at} ${text}`,
      at,
      mark: "person",
      title: text.charAt(0).toUpperCase() + text.slice(1),
    }),
  );
  const isAfter = ({ at }: Moment) => Date.parse(at ?? "") > end;
  return [moments.filter((moment) => !isAfter(moment)), moments.filter(isAfter)];
}

/** Another worker finds that, later. */
function lostWorker({ at, worker }: JobDetail["lostWorkers"][number]): Moment {
  const facts = worker === null ? [] : [worker];
  return { id: `lost ${at}`, at, mark: "failed", title: "Its worker was found lost", facts };
}

/** Those of which nobody recorded the time. */
function crashes({ crashes: all, lostWorkers }: JobDetail): Moment[] {
  const count = all - lostWorkers.length;
  if (count <= 0) return [];
  const title = count === 1 ? "Its worker was lost once" : `Its worker was lost ${count} times`;
  return [
    { id: "crashes", at: null, mark: "failed", title, facts: ["it started again; no attempt was used up"] },
  ];
}

function failedAttempt(failure: JobDetail["attempts"][number]): Moment {
  const { attempt, worker, startedAt, endedAt, code, message, stack } = failure;
  const facts = [code, `after ${duration(Date.parse(endedAt) - Date.parse(startedAt))}`, `on ${worker}`];
  return {
    id: `attempt ${attempt} ${endedAt}`,
    at: endedAt,
    mark: "failed",
    title: `Attempt ${attempt} failed`,
    said: message,
    ...(stack !== null && { trace: stack }),
    facts,
  };
}

const effectTitles = { reserved: "is under way", done: "is done", "in-doubt": "is in doubt" };

function effect(one: JobDetail["effects"][number]): Moment {
  const { name, state, at, evidence = [], mayStillRun, answer } = one;
  const facts = [verdictFirst(evidence), ...(mayStillRun ? ["its first run may still be under way"] : [])];
  return {
    id: `effect ${name}`,
    at,
    mark: state,
    title: `Effect “${name}” ${effectTitles[state]}`,
    ...(state === "in-doubt" && { doubt: name, facts }),
    ...(answer !== undefined && {
      answer: answer.text,
      facts: [verdictFirst(answer.sent), ...(answer.worker === null ? [] : [`on ${answer.worker}`])],
    }),
  };
}

function running({ state, startedAt, attemptsMade, worker }: JobDetail): Moment[] {
  if (state !== "active" || startedAt === null) return [];
  const title = `Attempt ${attemptsMade + 1} is running`;
  return [
    { id: "running", at: startedAt, mark: "active", title, facts: worker === null ? [] : [`on ${worker}`] },
  ];
}

function end(job: JobDetail): Moment[] {
  const { state, startedAt, finishedAt, worker, error, attempts, effects } = job;
  if (finishedAt === null || (state !== "completed" && state !== "failed")) return [];
  if (state === "failed") {
    const isInDoubt = effects.some((effect) => effect.state === "in-doubt");
    const isShown = attempts.some(({ message }) => message === error?.message);
    return [
      {
        id: "end",
        at: finishedAt,
        ...(isInDoubt
          ? { mark: "in-doubt", title: "Waits for a person to resolve the doubt" }
          : isCancelled(job)
            ? { mark: "cancelled", title: "Cancelled" }
            : { mark: "failed", title: "Failed for good" }),
        ...(error !== null && !isShown && { said: error.message, facts: [error.code] }),
      },
    ];
  }
  const facts: string[] = [];
  if (startedAt !== null) facts.push(`after ${duration(Date.parse(finishedAt) - Date.parse(startedAt))}`);
  if (worker !== null) facts.push(`on ${worker}`);
  return [{ id: "end", at: finishedAt, mark: "completed", title: "Completed", facts }];
}

function next({ state, nextAttemptAt, attemptsMade, held }: JobDetail): Moment[] {
  if (held !== undefined) {
    const { limit, windowMs, until = null } = held;
    const facts = [
      windowMs === undefined
        ? `${limit} of its key may be under way at a time`
        : `${limit} of its key may start within ${duration(windowMs)}`,
    ];
    return [{ id: "next", at: until, mark: state, title: `Is held behind ${held.behind} of its key`, facts }];
  }
  if (state === "waiting" || state === "prioritized") {
    return [{ id: "next", at: null, mark: state, title: "Waits for a worker" }];
  }
  if (state === "waiting-children") {
    return [{ id: "next", at: null, mark: state, title: "Waits for its children" }];
  }
  if (state !== "delayed" || nextAttemptAt === null) return [];
  return [{ id: "next", at: nextAttemptAt, mark: "delayed", title: `Attempt ${attemptsMade + 1} is due` }];
}

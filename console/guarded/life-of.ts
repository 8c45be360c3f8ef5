import { verdictFirst } from "../../src/evidence/outgoing/outgoing-text.ts";
import type { Moment } from "../jobs/timeline.ts";
import type { GuardedDetail } from "./queries.ts";

const titles = { reserved: "Runs", done: "Is done", "in-doubt": "Is in doubt" };

/** What happened to a guarded effect, in chronological order; what is still to come, last. */
export function lifeOf(effect: GuardedDetail): Moment[] {
  const past = [...effect.acts.map(byHand), now(effect)];
  past.sort((one, other) => Date.parse(one.at ?? "") - Date.parse(other.at ?? ""));
  return [...past, ...next(effect)];
}

function now({ state, since, worker, sent, resolvedBy, answer }: GuardedDetail): Moment {
  return {
    id: "now",
    at: since,
    mark: state,
    title: titles[state],
    facts: [
      ...(state === "reserved" ? [] : [verdictFirst(sent)]),
      ...(worker === null ? [] : [`on ${worker}`]),
      ...(resolvedBy === null ? [] : [`${resolvedBy} said that it is done`]),
    ],
    ...(answer !== null && { answer }),
  };
}

const said: Readonly<Record<string, string>> = {
  done: "Resolved as done",
  "not-done": "Resolved as not done",
};

function byHand({ at, as, by, evidence }: GuardedDetail["acts"][number]): Moment {
  return {
    id: `${at} ${as}`,
    at,
    mark: "person",
    title: said[as] ?? as,
    said: evidence,
    facts: [`by ${by}`],
  };
}

function next({ deadline, expiresAt }: GuardedDetail): Moment[] {
  if (deadline !== null)
    return [{ id: "deadline", at: deadline, mark: "delayed", title: "In doubt, unless it has ended" }];
  if (expiresAt === null) return [];
  return [
    {
      id: "forgotten",
      at: expiresAt,
      mark: "delayed",
      title: "Is forgotten",
      facts: ["then the same key runs it again"],
    },
  ];
}

import { durationOf } from "../../src/desk/jobs/instant.ts";
import { HoldfastError } from "../../src/edges/client/index.ts";
import { prettyJson, viewersZone } from "../parts/format.ts";
import { parseJson } from "../parts/json-field.tsx";
import type { service } from "../service/call.ts";
import { asProblem } from "../service/problem.ts";
import { readSchedule } from "./queries.ts";

type Definition = Parameters<typeof service.putSchedule>[1];

/** A schedule as a form has it: texts, empty where nothing is said. */
export interface Draft {
  readonly name: string;
  readonly type: string;
  readonly kind: "cron" | "every";
  readonly cron: string;
  readonly timeZone: string;
  /** Such as "15 min". */
  readonly every: string;
  readonly payload: string;
  readonly catchUp: "none" | "latest" | "all";
  readonly max: string;
  readonly window: string;
  readonly overlap: "allow" | "skip" | "queue-one";
  /** ISO 8601. */
  readonly startsAt: string;
  readonly endsAt: string;
}

export function emptyDraft(type: string): Draft {
  return {
    name: "",
    type,
    kind: "cron",
    cron: "",
    timeZone: viewersZone(),
    every: "",
    payload: "{}",
    catchUp: "none",
    max: "",
    window: "",
    overlap: "allow",
    startsAt: "",
    endsAt: "",
  };
}

export function draftOf(name: string, definition: Definition): Draft {
  const { type, cron, timeZone, everyMs, payload, catchUp, overlap, startsAt, endsAt } = definition;
  const empty = emptyDraft(type);
  return {
    ...empty,
    name,
    kind: everyMs === undefined ? "cron" : "every",
    cron: cron ?? "",
    timeZone: timeZone ?? empty.timeZone,
    every: everyMs === undefined ? "" : lengthText(everyMs),
    payload: prettyJson(payload),
    catchUp: catchUp?.mode ?? "none",
    max: catchUp?.max?.toString() ?? "",
    window: catchUp?.windowMs === undefined ? "" : lengthText(catchUp.windowMs),
    overlap: overlap ?? "allow",
    startsAt: startsAt ?? "",
    endsAt: endsAt ?? "",
  };
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** In one unit, as the form reads it: "90 min". */
function lengthText(ms: number): string {
  const [size, unit] = units.find(([whole]) => ms % whole === 0) ?? [1, "ms"];
  return `${ms / size} ${unit}`;
}

/** What to put. A number that is none goes to the service as it is, which says what it expects. */
export function definitionOf(draft: Draft): Definition {
  const { type, kind, cron, timeZone, every, payload, catchUp: mode, max, window, overlap } = draft;
  const { startsAt, endsAt } = draft;
  const catchUp = {
    mode,
    ...(mode === "all" && max !== "" && { max: /^\d+$/.test(max) ? Number(max) : max }),
    ...(mode !== "none" && window !== "" && { windowMs: durationOf(window) ?? window }),
  };
  return {
    type,
    payload: parseJson(payload)?.value,
    ...(kind === "cron" ? { cron, timeZone } : { everyMs: durationOf(every) ?? every }),
    ...(mode !== "none" && { catchUp }),
    ...(overlap !== "allow" && { overlap }),
    ...(startsAt !== "" && { startsAt }),
    ...(endsAt !== "" && { endsAt }),
  } as Definition;
}

/** The field of the form that has each member of what is put. */
const fields: Readonly<Record<string, keyof Draft>> = {
  "/name": "name",
  "/type": "type",
  "/cron": "cron",
  "/timeZone": "timeZone",
  "/everyMs": "every",
  "/payload": "payload",
  "/catchUp": "catchUp",
  "/catchUp/max": "max",
  "/catchUp/windowMs": "window",
  "/overlap": "overlap",
  "/startsAt": "startsAt",
  "/endsAt": "endsAt",
};

export type Faults = Readonly<Partial<Record<keyof Draft, string>>>;

/** What the service refuses, by field; undefined if something of it is about no field. */
export function faultsOf(thrown: unknown): Faults | undefined {
  const { issues } = asProblem(thrown);
  const faults: Partial<Record<keyof Draft, string>> = {};
  for (const { pointer, message } of issues) {
    const inPayload = /^\/payload(?=\/)/.test(pointer) ? pointer.slice("/payload".length) : "";
    const field = inPayload === "" ? fields[pointer] : "payload";
    if (field === undefined) return undefined;
    const text = inPayload === "" ? message : `${inPayload}: ${message}`;
    faults[field] = faults[field] === undefined ? text : `${faults[field]}; ${text}`;
  }
  return issues.length === 0 ? undefined : faults;
}

/** Putting would change it silently. @throws HoldfastError */
export async function requireFree(name: string): Promise<void> {
  if ((await readSchedule(name)) === undefined) return;
  const issues = [{ pointer: "/name", message: "there is a schedule with this name: change it instead" }];
  throw new HoldfastError("INVALID_REQUEST", "There is a schedule with this name", { issues });
}

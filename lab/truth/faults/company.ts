import type { Library } from "../libraries.ts";

/**
 * When the other call is made: once downstream has answered the call that acts, while that one is under way, or first. Or an effect inside of
 * this one fails after the act: by its own word, for a second caller, or by its probe.
 */
export const orders = ["before", "beside", "after", "inner", "joined", "snoozed"] as const;
export type Order = (typeof orders)[number];

/** By whom the call that acts is handed to another asynchronous context. */
export const contexts = ["own", "p-queue", "dataloader", "bound", "emitter"] as const;
export type Context = (typeof contexts)[number];

/** How the other call fails: nobody listens, downstream answers so, that of the act does, or is gone. */
export type Refusal = "connection" | "statement" | 404 | 429 | "same" | "gone";

/** What holds up the call that acts: a slow look-up of its host's name, or a slow answer to its greeting. */
export type Lateness = "name" | "handshake";

/** What one effect does beside the call that acts: an error about that says nothing of the act. */
export interface Company {
  readonly order: Order;
  readonly context: Context;
  /** Who makes the other call. */
  readonly by: "itself" | "fetch";
  readonly refusal: Refusal;
  /** @default it is reached at once */
  readonly lateness?: Lateness;
  /** What downstream does once it has acted. @default it answers */
  readonly afterwards?: "resets" | "is silent";
  /** Whether the other call is handed over, too: its error is not seen as this effect's. */
  readonly isOtherHandedOver?: boolean;
  /** Another context did something else, and was answered: whoever declares a classifier says that there is no such thing. */
  readonly isDeniedByDeclaration?: boolean;
}

const alone = { order: "before", context: "own", by: "fetch" } as const;
const others = contexts.filter((context) => context !== "own");

/** Every company in which a library is tried. */
export function companiesOf(library: Library): Company[] {
  const { role = "client" } = library;
  if (role === "channel") return besideFetch(library);
  if (role === "shared") return sharedWith(library);
  return [
    ...twice(),
    ...besideFetch(library),
    ...late(library),
    ...inOtherContexts(library),
    ...inside(library),
  ];
}

/** A shared client that loses the context is as a queue: what it did elsewhere is not seen, what it did there is. */
function sharedWith(library: Library): Company[] {
  const { losesContext = false, protocol } = library;
  const elsewhere = [...besideFetch(library), ...twice()];
  return [
    ...elsewhere.map((company) => ({ ...company, isDeniedByDeclaration: losesContext })),
    ...(protocol === "http" ? atSameHost("own") : []),
    ...goneIn(["own"]),
  ];
}

/** Two calls with the same library. */
function twice(): Company[] {
  return (["before", "beside", "after"] as const).flatMap((order) =>
    (["connection", "statement"] as const).map((refusal) => ({
      ...alone,
      order,
      by: "itself" as const,
      refusal,
    })),
  );
}

function besideFetch({ name }: Library): Company[] {
  if (name === "fetch") return [];
  return (["before", "beside"] as const).flatMap((order) =>
    (["connection", 404, 429] as const).map((refusal) => ({ ...alone, order, refusal })),
  );
}

/** It acts only once the other call has failed. */
function late({ protocol, isSecure }: Library): Company[] {
  const kinds: readonly Lateness[] = protocol === "http" || isSecure ? ["name", "handshake"] : ["name"];
  return kinds.flatMap((lateness) =>
    (["connection", 404] as const).map((refusal) => ({
      ...alone,
      order: "beside" as const,
      lateness,
      refusal,
    })),
  );
}

/** What is not seen as this effect's. */
function inOtherContexts({ name, protocol }: Library): Company[] {
  return others.flatMap((context) => [
    ...handedOver(context),
    ...(protocol === "http" ? atSameHost(context) : []),
    ...goneIn([context]),
    ...(name === "fetch" || name === "pg"
      ? [{ ...alone, context, refusal: 429, isDeniedByDeclaration: true } as const]
      : []),
  ]);
}

function handedOver(context: Context): Company[] {
  return (["connection", "statement"] as const).map((refusal) => ({
    ...alone,
    context,
    by: "itself",
    refusal,
    isOtherHandedOver: true,
  }));
}

function atSameHost(context: Context): Company[] {
  return [
    { ...alone, context, refusal: "same", afterwards: "resets" },
    { ...alone, order: "beside", context, refusal: "same", afterwards: "is silent" },
  ];
}

/** Its own second try is refused, since downstream has died. */
function goneIn(of: readonly Context[]): Company[] {
  return of.map((context) => ({ ...alone, context, by: "itself", refusal: "gone", afterwards: "resets" }));
}

function inside({ name }: Library): Company[] {
  if (name !== "fetch" && name !== "pg") return [];
  return (["inner", "joined", "snoozed"] as const).map((order) => ({
    ...alone,
    order,
    refusal: "connection",
  }));
}

const contextTexts: Record<Context, string> = {
  own: "",
  "p-queue": " through p-queue",
  dataloader: " through a dataloader",
  bound: " through a bound callback",
  emitter: " through an event emitter",
};

const orderTexts: Record<Order, string> = {
  before: "acts, then",
  beside: "acts, beside it",
  after: "acts after",
  inner: "acts, then an inner effect is not done",
  joined: "acts, then a joined effect is not done",
  snoozed: "acts, then an inner probe snoozes",
};

/** As the tables call it. */
export function nameOf(company: Company): string {
  const { order, by, refusal, isOtherHandedOver = false } = company;
  const how = actText(company);
  if (refusal === "gone") return `${how} its second try is refused`;
  if (order === "inner" || order === "joined" || order === "snoozed") return how;
  const who = by === "fetch" ? "fetch" : "another call";
  const what = refusal === "connection" ? "is refused" : `sees ${answerText(refusal)}`;
  return `${how} ${who} ${what}${isOtherHandedOver ? ", in the same way" : ""}`;
}

function actText({ order, context, lateness, afterwards }: Company): string {
  const next = afterwards === undefined ? "" : ` and ${afterwards}`;
  const when = lateness === undefined ? "" : ` after a slow ${lateness === "name" ? "look-up" : lateness}`;
  return orderTexts[order].replace("acts", `acts${next}${contextTexts[context]}${when}`);
}

function answerText(refusal: Refusal): string {
  if (refusal === "statement") return "a refusal";
  return refusal === "same" ? "429 from the same host" : String(refusal);
}

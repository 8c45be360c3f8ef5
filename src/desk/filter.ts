import { z } from "zod";
import type { FilterMember, FilterOption } from "../core/status/filter-member.ts";
import { instantInBody, instantInQuery } from "./jobs/instant-schemas.ts";

type Instant = typeof instantInBody | typeof instantInQuery;
type Members = Readonly<Record<string, FilterMember>>;
type SchemasOf<Own extends Members> = { [Name in keyof Own]: Own[Name]["schema"] };

/** A filter, as commands, the console and the docs need it: each member is declared once, whatever is filtered. */
export interface DeclaredFilter {
  readonly members: Members;
  /** The members that are instants: in a query and an option also days, and ages that count back from now. */
  readonly instants: readonly string[];
  /** Of a filter in a body, which means the same whenever it is sent. */
  readonly schema: z.ZodObject;
}

/** @param instantsBy the members that are instants, by what an instant may be */
export function defineFilter<Kinds extends Members, Instants extends Members>(
  kinds: Kinds,
  instantsBy: (instant: Instant) => Instants,
) {
  const instants = instantsBy(instantInBody);
  const members = { ...kinds, ...instants };
  return {
    members,
    instants: Object.keys(instants),
    schema: z.strictObject(schemasOf(members)),
    /** The members in a query, for schemas that have more. */
    query: schemasOf({ ...kinds, ...instantsBy(instantInQuery) }),
  };
}

function schemasOf<Own extends Members>(members: Own): SchemasOf<Own> {
  const schemas = Object.entries(members).map(([name, { schema }]) => [name, schema]);
  return Object.fromEntries(schemas) as SchemasOf<Own>;
}

/** The members that a filter gives, each with what is wanted of it. */
export function givenMembers<Own>(
  members: Readonly<Record<string, Own>>,
  filter: Readonly<Record<string, unknown>>,
): (readonly [member: Own, wanted: unknown])[] {
  return Object.entries(members).flatMap(([name, member]) =>
    filter[name] === undefined ? [] : [[member, filter[name]] as const],
  );
}

export function isNarrow(filter: object): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

export function option(flags: string, help: string, expected: string, label?: string): FilterOption {
  return { flags, help, expected, ...(label !== undefined && { label }) };
}

export function containsText(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

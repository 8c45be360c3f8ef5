// The types of the client's operations, from their declarations: a change there that breaks a caller fails to compile.

import type { z } from "zod";
import type { Operation } from "../../desk/operations/operation.ts";
import type { Operations } from "../../desk/operations/operations.ts";

type Name = keyof Operations;
type Instant = "from" | "to" | "endedFrom" | "endedTo" | "since" | "until" | "before" | "completeUntil";

type InputOf<Called extends Name> =
  Operations[Called] extends Operation<string, infer Input, infer _O, infer _A, infer _M> ? Input : never;

/** The members of a query, each of which may be left out. */
export type Query<Called extends Name> = {
  readonly [Member in keyof z.output<InputOf<Called>>]?:
    | (Member extends Instant ? Date | string : z.output<InputOf<Called>>[Member])
    | undefined;
};

/** A body, in which a date is an instant in ISO 8601. */
export type Body<Called extends Name> = Sent<NonNullable<z.input<InputOf<Called>>>>;

type Sent<Given> = Given extends readonly (infer Item)[]
  ? readonly Sent<Item>[]
  : Given extends object
    ? {
        readonly [Member in keyof Given]: Member extends Instant ? Given[Member] | Date : Sent<Given[Member]>;
      }
    : Given;

/** What a call returns: the answer, or one member of it. */
export type Returned<Called extends Name> =
  Operations[Called] extends Operation<string, infer _I, infer Output, infer Other, infer Member>
    ? [Member] extends [never]
      ? z.output<Output> | z.output<Other>
      : z.output<Output>[Member & keyof z.output<Output>]
    : never;

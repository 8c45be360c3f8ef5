import type { z } from "zod";
import type { Scope } from "../../platform/config/api-keys.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import type { Operator } from "../operator.ts";

/** What an operator can see or do. Its route, its part of OpenAPI, who may call it and the client's method follow from it. */
export interface Operation<
  Param extends string = string,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  Other extends z.ZodType = z.ZodType,
  Member extends string = string,
> extends Declared<Param, Input, Output, Other, Member> {
  readonly method: "GET" | Changing;
  readonly scope: Scope;
}

type Changing = "POST" | "PUT" | "DELETE";

interface Declared<
  Param extends string,
  Input extends z.ZodType,
  Output extends z.ZodType,
  Other extends z.ZodType,
  Member extends string,
> {
  /** In OpenAPI. */
  readonly id: string;
  /** @example "/queues/:name/pause" */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** What each `:part` of the path is. The client's method has them as its first arguments. */
  readonly params?: Readonly<Record<Param, string>>;
  /** The query of GET and DELETE, the body of the others. */
  readonly input?: Input;
  /** Whether an `Idempotency-Key` header makes it safe to repeat. */
  readonly isKeyed?: true;
  readonly answer: Answer<Output>;
  /** What it answers with another status than 200, if `isOther`. */
  readonly other?: { readonly status: 201 | 202; readonly text: string; readonly schema: Other };
  isOther?(answered: Shown<z.output<Output> | z.output<Other>>): boolean;
  readonly errors: readonly ErrorCode[];
  /** Whether the client's method is written by hand. @default false */
  readonly isCalledByHand?: true;
  /** Members of the query that are arguments of the client's method, before the rest. */
  readonly positional?: readonly string[];
  /** The member of the answer that the client's method returns. @default all of it */
  readonly returns?: Member;
  run(
    operator: Operator,
    request: OperationRequest<Param, Input>,
  ): Promise<Shown<z.output<Output> | z.output<Other>>>;
}

/** A schema; what it is says its description, or a text beside it. */
type Answer<Output extends z.ZodType> = Output | { readonly text: string; readonly schema: Output };

export interface OperationRequest<Param extends string, Input extends z.ZodType> {
  readonly params: Readonly<Record<Param, string>>;
  readonly input: z.output<Input>;
  /** Who does it, for the audit log. */
  readonly by: string;
  /** The idempotency key, if one was sent. */
  readonly key: string | undefined;
}

/** Declares what people look at. */
export function read<
  Output extends z.ZodType,
  Param extends string = never,
  Input extends z.ZodType = z.ZodUndefined,
  Other extends z.ZodType = z.ZodNever,
  const Member extends string = never,
>(declared: Declared<Param, Input, Output, Other, Member>): Operation<Param, Input, Output, Other, Member> {
  return { ...declared, method: "GET", scope: "read" };
}

/** Declares what people do. */
export function change<
  Output extends z.ZodType,
  Param extends string = never,
  Input extends z.ZodType = z.ZodUndefined,
  Other extends z.ZodType = z.ZodNever,
  const Member extends string = never,
>(
  declared: Declared<Param, Input, Output, Other, Member> & { readonly method: Changing },
): Operation<Param, Input, Output, Other, Member> {
  return { ...declared, scope: "operate" };
}

/** Declares what programs do that run effects. */
export function act<
  Output extends z.ZodType,
  Param extends string = never,
  Input extends z.ZodType = z.ZodUndefined,
  Other extends z.ZodType = z.ZodNever,
>(
  declared: Declared<Param, Input, Output, Other, never> & { readonly method: Changing },
): Operation<Param, Input, Output, Other, never> {
  return { ...declared, scope: "act" };
}

/** What is answered, not to be changed. */
export type Shown<T> = T extends readonly (infer Item)[]
  ? readonly Shown<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Shown<T[Key]> }
    : T;

/** The member by which a schema says its name among the components of the OpenAPI document. */
export const COMPONENT_NAME = "x-component";

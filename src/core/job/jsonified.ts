/** What JSON gives back as it is. That a type is part of it is found without taking it to pieces, which has no end for recursive ones. */
type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json; readonly [name: symbol]: never };

/** What JSON has no form for. A member that is a function is left out instead: methods are members, too. */
type Unheld =
  | bigint
  | symbol
  | ((...args: never) => unknown)
  | (abstract new (
      ...args: never
    ) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | Promise<unknown>
  | RegExp;

/** What JSON leaves out of an object. */
type LeftOut =
  | ((...args: never) => unknown)
  | (abstract new (
      ...args: never
    ) => unknown)
  | symbol
  | undefined;

/**
 * What is left of a value once it was written as JSON and read again, as Holdfast stores results: a `Date` is a text, members that are
 * `undefined` or functions are gone, and `undefined` itself is `null`. What JSON cannot hold (`bigint`, symbols, `Map`, `Set`, functions) is
 * `never`.
 *
 * @example Jsonified<{ at: Date }> is { at: string }
 */
export type Jsonified<T> = unknown extends T
  ? T
  : T extends Json
    ? T
    : T extends void
      ? null
      : T extends { toJSON(...args: never): infer Written }
        ? Jsonified<Written>
        : T extends Unheld
          ? never
          : T extends readonly unknown[]
            ? { [Index in keyof T]: Jsonified<T[Index]> }
            : T extends object
              ? JsonifiedObject<T>
              : never;

type JsonifiedObject<T extends object> = Flat<
  {
    [Name in keyof T as Name extends symbol
      ? never
      : undefined extends T[Name]
        ? never
        : KeptName<T, Name>]: Jsonified<T[Name]>;
  } & {
    [Name in keyof T as Name extends symbol
      ? never
      : undefined extends T[Name]
        ? KeptName<T, Name>
        : never]?: Jsonified<Exclude<T[Name], undefined>>;
  }
>;

type KeptName<T, Name extends keyof T> = [T[Name]] extends [LeftOut]
  ? [T[Name]] extends [never]
    ? Name
    : never
  : Name;

type Flat<T> = { [Name in keyof T]: T[Name] };

/** The same type if JSON can hold its values; otherwise a type to which it is not assignable. */
export type JsonHeld<T> = unknown extends T
  ? T
  : T extends Json
    ? T
    : T extends void
      ? T
      : T extends { toJSON(...args: never): infer Written }
        ? [Written] extends [JsonHeld<Written>]
          ? T
          : never
        : T extends Unheld
          ? never
          : T extends object
            ? { [Name in keyof T]: T[Name] extends (...args: never) => unknown ? T[Name] : JsonHeld<T[Name]> }
            : never;

/** The same type if a payload of it can be sent as it is: JSON, in which a date is a text. Otherwise one to which it is not assignable. */
export type JsonSent<T> = unknown extends T
  ? T
  : T extends Json | undefined
    ? T
    : T extends Unheld | { toJSON(...args: never): unknown }
      ? never
      : T extends object
        ? { [Name in keyof T]: JsonSent<T[Name]> }
        : never;

/** Asks for a payload that can be sent as it is. A schema that makes a date of a text has the text as its input. */
export type SentAsJson<PayloadIn> = [PayloadIn] extends [JsonSent<PayloadIn>]
  ? unknown
  : {
      readonly "~standard": "expected a payload of JSON: a text instead of a date, e.g. z.iso.datetime(); no bigint, Map or Set";
    };

/** Asks for a result that JSON can hold. */
export type ReturnedAsJson<Result> = [Result] extends [JsonHeld<Result>]
  ? unknown
  : { readonly "~standard": "expected a result that JSON can hold: no bigint, symbol, function, Map or Set" };

import { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import { isSchema, noSchema, type Schema, schemaFault } from "../../platform/lib/schema.ts";
import { textOf } from "../../platform/lib/thrown.ts";
import type { DividedCheck } from "../job/application.ts";
import type { JobContract, JobHandler } from "../job/contract.ts";
import type { ApplicationDeclarations } from "../job/declarations.ts";
import type { QueueDefinition } from "./queue-settings.ts";

export interface ApplicationDefinition extends Partial<ApplicationDeclarations> {
  /** Contracts from `defineJob`. Every process loads them. */
  readonly jobs: readonly JobContract[];
  /**
   * Imports the handlers. Only the worker calls it.
   *
   * @default none, for a process that only submits
   * @example async () => (await import("./jobs/handlers.js")).handlers
   */
  readonly handlers?: () => Promise<readonly JobHandler[]>;
  /**
   * Closes what `handlers` opened. A worker that has called `handlers` calls it once: when its last attempt has ended, or when it cannot
   * start. It has 5 s. What it throws is logged, and changes nothing.
   *
   * @default none
   * @example async () => (await import("./database.js")).pool.end()
   */
  readonly onStop?: () => void | Promise<void>;
  /**
   * Settings of queues, by name.
   *
   * @default none
   * @example { mails: { concurrency: 50, rate: "100/1s" }, reports: { globalConcurrency: 2 } }
   */
  readonly queues?: Readonly<Record<string, QueueDefinition>>;
  /**
   * The application's own environment variables: an object schema with one member a variable. A worker does not start if one is
   * wrong. Handlers read them with `readEnv`.
   *
   * @default none
   * @example z.object({ SHOP_URL: z.url(), SHOP_TOKEN: z.string().meta({ secret: true }) })
   */
  readonly env?: Schema;
}

/** What a feature lets contracts and applications declare. */
export interface Declaration extends DividedCheck {
  /** Members of a contract, by name. */
  readonly ofJob?: DeclaredMembers;
  /** Members of an application, by name. */
  readonly ofApplication?: DeclaredMembers;
  /** What is wrong with an application: one line each. */
  readonly faultsOf?: (application: ApplicationDefinition) => readonly string[];
}

/** Members of a contract or of an application, by name. */
export type DeclaredMembers = Readonly<Record<string, DeclaredMember>>;

export interface DeclaredMember {
  /** @default anything: the compiler checks it */
  readonly accepts?: z.ZodType;
  /** What stands where it is not declared. @default undefined */
  readonly otherwise?: unknown;
}

/** Returns each member as it is declared, or what stands instead: `Declared`, as the features that have these members say. */
export function withDefaults<Declared extends object>(members: DeclaredMembers, declared: object): Declared {
  const given: Readonly<Record<string, unknown>> = { ...declared };
  return Object.fromEntries(
    Object.entries(members).map(([name, { otherwise }]) => [name, given[name] ?? otherwise]),
  ) as Declared;
}

/** Of job types, effects, queues and schedules. */
export const nameSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,63}$/,
    "expected 1 to 64 lower-case letters, digits and dashes, starting with a letter",
  );

/** Untyped code declares anything; a member that is written wrong would have no effect, unnoticed. @returns a line for each */
export function unknownMembers(given: readonly string[], known: readonly string[]): string[] {
  return given
    .filter((name) => !known.includes(name))
    .map(
      (name) => `${name}: expected no such member; ${suggestion(name, known, `known: ${known.join(", ")}`)}`,
    );
}

/** @throws HoldfastError `APPLICATION_INVALID` for what is no object at all: nothing inside of it can be named */
export function requireDefinition(definition: unknown, of: string): void {
  if (typeof definition === "object" && definition !== null && !Array.isArray(definition)) return;
  throw new HoldfastError("APPLICATION_INVALID", `${of}: expected a definition, got ${textOf(definition)}`);
}

/** Whether something is a contract, as `defineJob` returns it. */
export function isContract(job: unknown): boolean {
  return job instanceof Object && "type" in job && "handler" in job && "queue" in job;
}

/** Of payloads and results. */
export const standardSchema = z
  .custom<Schema>(isSchema, { error: ({ input }) => noSchema(input) })
  .superRefine((schema, { addIssue }) => {
    const message = isSchema(schema) ? schemaFault(schema) : undefined;
    if (message !== undefined) addIssue({ code: "custom", message });
  });

/** The names that occur more than once. */
export function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

import type { z } from "zod";

/** What contracts declare for features. Each feature adds its members in its folder. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
// biome-ignore lint/correctness/noUnusedVariables: which depend on the payload
export interface JobDeclarations<Payload> {}

/** The same in a contract, where each member is present. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
// biome-ignore lint/correctness/noUnusedVariables: which depend on the payload
export interface ContractDeclarations<Payload> {}

/** What applications declare for features. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface ApplicationDeclarations {}

/** Members of a contract or of an application, by name. */
export type DeclaredMembers = Readonly<Record<string, DeclaredMember>>;

export interface DeclaredMember {
  /** @default anything: the compiler checks it */
  readonly accepts?: z.ZodType;
  /** What stands where it is not declared. @default undefined */
  readonly otherwise?: unknown;
}

/** Returns each member as it is declared, or what stands instead. */
export function withDefaults(members: DeclaredMembers, declared: object): Readonly<Record<string, unknown>> {
  const given: Readonly<Record<string, unknown>> = { ...declared };
  return Object.fromEntries(
    Object.entries(members).map(([name, { otherwise }]) => [name, given[name] ?? otherwise]),
  );
}

// The error class as applications have it. Holdfast itself believes a code only by identity, and so never imports this one.
import { HoldfastError as OwnError } from "./holdfast-error.ts";

/**
 * The one error class of Holdfast. `code` says what went wrong.
 *
 * Express, Fastify and NestJS answer with its `statusCode` by themselves. `instanceof` also recognises the errors of another copy of the
 * package: a bundler such as that of Next.js puts several into one process.
 */
export class HoldfastError extends OwnError {
  /** A bundle has two classes of this name, and would number them. */
  static override readonly name: string = "HoldfastError";
  static override readonly [Symbol.hasInstance] = isInstance;
}

/** Of the class itself, whoever's copy has made it. Classes that an application derives have their own instances only. */
function isInstance(this: unknown, value: unknown): value is OwnError {
  if (this !== HoldfastError) return Function.prototype[Symbol.hasInstance].call(this, value);
  return value instanceof Error && Symbol.for("holdfast.error") in value;
}

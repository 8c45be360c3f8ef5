import type { Application } from "../../core/job/application.ts";
import type { Operator } from "../../desk/operator.ts";
import { errorCodes } from "../../platform/errors/error-codes.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import { usage } from "./exit-code.ts";

/** @throws HoldfastError `USAGE` for an unknown name: an empty list would read like good news */
export function requireState(state: string | undefined, states: readonly string[]): void {
  required("--state: ", "state", state, states, `expected one of ${states.join(", ")}`);
}

/** @throws HoldfastError `USAGE` */
export function requireCode(code: string | undefined): void {
  required("--code: ", "error code", code, Object.keys(errorCodes), "see docs/errors.md");
}

/** @throws HoldfastError `USAGE` for a type that the application does not declare */
export function requireDeclared({ jobs }: Pick<Application, "jobs">, type: string): void {
  required("", "job type", type, [...jobs.keys()]);
}

/**
 * Checks names against the application and against Redis, which remembers types and queues that are no longer declared.
 *
 * @throws HoldfastError `USAGE`
 */
export async function requireKnown(
  operator: Pick<Operator, "knownNames">,
  { type, queue }: { readonly type?: string | undefined; readonly queue?: string | undefined },
): Promise<void> {
  if (type === undefined && queue === undefined) return;
  const { types, queues } = await operator.knownNames();
  required("--type: ", "job type", type, types);
  required("--queue: ", "queue", queue, queues);
}

function required(
  option: string,
  what: string,
  name: string | undefined,
  known: readonly string[],
  otherwise?: string,
): void {
  if (name === undefined || known.includes(name)) return;
  throw usage(`${option}there is no ${what} "${name}"; ${suggestion(name, known, otherwise)}`);
}

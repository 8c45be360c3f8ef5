import { REDACTED, type Redaction, replaceAt, stepsOf } from "../../core/job/redaction.ts";

/** For types that this process does not know: they may have secrets anywhere. */
const everything: Redaction = { payload: [""], result: [""] };

export function redactionOf(
  types: ReadonlyMap<string, { readonly redact: Redaction }>,
  type: string,
): Redaction {
  return types.get(type)?.redact ?? everything;
}

/** Copies a value with its secrets replaced. Null stays, to show that there is no secret. */
export function redact(value: unknown, pointers: readonly string[]): unknown {
  return pointers.reduce((redacted, pointer) => replaceAt(redacted, stepsOf(pointer), () => REDACTED), value);
}

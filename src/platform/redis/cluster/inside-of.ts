import { HoldfastError } from "../../errors/holdfast-error.ts";

/**
 * What a library has inside of an object, though its types hide it.
 *
 * @param names what must be there: another version of the library may have it elsewhere
 */
export function insideOf<Inside extends object>(
  whole: object,
  ...names: readonly (keyof Inside & string)[]
): Inside {
  for (const name of names)
    if (!(name in whole)) throw new HoldfastError("INTERNAL", `A library has no "${name}" inside any more`);
  return whole as Inside;
}

/** A type or a key of a queue: the other is null. */
export interface CurbOf {
  readonly type: string | null;
  readonly key: string | null;
}

/** @example "type webhook" */
export function curbText({ type, key }: CurbOf): string {
  return type === null ? `key ${key}` : `type ${type}`;
}

/** As a request names it. */
export function whichOf({ type, key }: CurbOf): { readonly type: string } | { readonly key: string } {
  return type === null ? { key: key ?? "" } : { type };
}

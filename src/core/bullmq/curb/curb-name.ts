/** What an operator holds back: the jobs of one type, or of one key. */
export type CurbOf =
  | { readonly type: string; readonly key?: undefined }
  | { readonly type?: undefined; readonly key: string };

/** As Redis has it. */
export function curbName({ type, key }: CurbOf): string {
  return type === undefined ? `key/${key}` : `type/${type}`;
}

/** As people see it: one of them is null. */
export function namedBy(name: string): { readonly type: string | null; readonly key: string | null } {
  const cut = name.indexOf("/");
  const [kind, text] = [name.slice(0, cut), name.slice(cut + 1)];
  return kind === "type" ? { type: text, key: null } : { type: null, key: text };
}

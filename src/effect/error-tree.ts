const NODES_MAX = 30;
/** Where libraries keep the error that matters. */
const INNER = ["cause", "errors", "error", "originalError", "detail", "response"] as const;

/** An error, or something inside of it that may be one. */
export type ErrorNode = Readonly<Record<string, unknown>>;

/** What was thrown, its causes, and what libraries wrap, the outermost first; at most 30. Never throws. */
export function errorTree(thrown: unknown): ErrorNode[] {
  const found: unknown[] = [thrown];
  for (let at = 0; at < found.length && found.length < NODES_MAX; at++) {
    const inner = INNER.flatMap((name) => memberOf(found[at], name) ?? []);
    found.push(...inner.filter((value) => isObject(value) && !found.includes(value)));
  }
  return found.filter(isObject).slice(0, NODES_MAX);
}

/** An error's code, or else its name; both as the error says. */
export function errorCode(error: unknown): string {
  const code = memberOf(error, "code");
  if (typeof code === "string" && code !== "") return code;
  const name = memberOf(error, "name");
  return typeof name === "string" && name !== "" ? name : "error";
}

/** A getter that throws has no value. */
export function memberOf(value: unknown, name: string): unknown {
  try {
    return isObject(value) ? value[name] : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is ErrorNode {
  return typeof value === "object" && value !== null;
}

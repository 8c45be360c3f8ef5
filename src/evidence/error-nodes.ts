const NODES_MAX = 30;
/** Where libraries keep the error, or the answer, that matters. */
const INNER = ["cause", "errors", "error", "originalError", "original", "detail", "response"] as const;
/** Of an `AggregateError`. */
const ERRORS_MAX = 10;

/** An error, or something inside of it that explains it. */
export type ErrorNode = Readonly<Record<string, unknown>>;

/** What was thrown and what it wraps, the outermost first; at most 30. Never throws. */
export function errorNodes(thrown: unknown): ErrorNode[] {
  const found = new Set<ErrorNode>(isObject(thrown) ? [thrown] : []);
  for (const node of found) {
    const inner = INNER.flatMap((name) => listed(read(node, name)));
    for (const value of inner) if (isObject(value) && found.size < NODES_MAX) found.add(value);
  }
  return [...found];
}

function listed(value: unknown): unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, ERRORS_MAX) : [value];
  } catch {
    return [];
  }
}

/** Reads a member of anything. A getter that throws has no value. */
export function read(value: unknown, ...path: readonly string[]): unknown {
  try {
    return path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), value);
  } catch {
    return undefined;
  }
}

export function readText(value: unknown, ...path: readonly string[]): string {
  const text = read(value, ...path);
  return typeof text === "string" ? text : "";
}

export function has(node: ErrorNode, name: string): boolean {
  try {
    return name in node;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is ErrorNode {
  return typeof value === "object" && value !== null;
}

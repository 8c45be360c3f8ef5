import { type ApiCalls, headerText, isoText, jsonOf, query } from "./api.ts";

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `:parts`, which are the first arguments. */
  readonly path: string;
  /** Members of the query that are the next arguments. */
  readonly positional?: readonly string[];
  /** Whether the last argument has an idempotency key. */
  readonly isKeyed?: boolean;
  /** The member of the answer to return. @default all of it */
  readonly returns?: string;
}

/** Calls an operation. Only what is safe to repeat is sent again. */
export async function callRoute(
  api: ApiCalls,
  { method, path, positional = [], isKeyed = false, returns }: Route,
  given: readonly unknown[],
): Promise<unknown> {
  const args = [...given];
  const key = isKeyed ? (args.pop() as { idempotencyKey: string }).idempotencyKey : undefined;
  const filled = path.replaceAll(/:(\w+)/g, (_, part) => encodeURIComponent(textOf(part, args.shift())));
  const members = Object.fromEntries(
    positional.map((member) => [member, args.shift() as number | undefined]),
  );
  const rest = args[0] as Readonly<Record<string, string>> | undefined;
  const hasQuery = method === "GET" || method === "DELETE";
  const call = {
    method,
    path: hasQuery ? filled + query({ ...members, ...rest }) : filled,
    ...(!hasQuery && rest !== undefined && { body: jsonOf(rest) }),
    ...(key !== undefined && { headers: { "idempotency-key": headerText(key) }, isKeyed }),
  };
  const answer = await (method === "GET" || isKeyed ? api.again(call) : api.once(call));
  return returns === undefined ? answer : (answer as Record<string, unknown>)[returns];
}

function textOf(part: string, value: unknown): string {
  return value instanceof Date ? isoText(part, value) : String(value);
}

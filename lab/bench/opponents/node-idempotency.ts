// A library for idempotent requests. It compares contents, and knows no fence and no doubt: a process that dies in the middle leaves its key
// "in progress", and when the key expires the next request runs again.
import { createRequire } from "node:module";
import { type Open, payload, REPLAYED } from "../lib/inside/contestant.ts";
import { libraryFolder } from "../lib/library.ts";

const WEEK_MS = 7 * 24 * 60 * 60 * 1_000;

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}
interface Answer {
  readonly body: { readonly id: string };
}
/** What is used of it; it has types of its own, which are not installed here. */
interface Library {
  onRequest(request: Request): Promise<Answer | undefined>;
  onResponse(request: Request, answer: Answer): Promise<void>;
}

export const packages = ["@node-idempotency/core@1.0.11", "@node-idempotency/storage-adapter-redis@1.0.2"];

export const open: Open = async (url) => {
  const load = createRequire(`${libraryFolder("node-idempotency")}/package.json`);
  const { RedisStorageAdapter } = load("@node-idempotency/storage-adapter-redis");
  const { Idempotency } = load("@node-idempotency/core");
  const storage = new RedisStorageAdapter({ url });
  await storage.connect();
  const library: Library = new Idempotency(storage, { cacheTTLMS: WEEK_MS });
  const requestOf = (key: string): Request => ({
    method: "POST",
    path: "/charges",
    headers: { "idempotency-key": key },
    body: payload,
  });
  const submit = async (key: string) => {
    const request = requestOf(key);
    if ((await library.onRequest(request)) !== undefined) throw new Error("guarded");
    await library.onResponse(request, { body: { id: key } });
    return key;
  };
  await submit(REPLAYED);
  return {
    submit,
    async status(key) {
      const answer = await library.onRequest(requestOf(key));
      return answer?.body.id === key ? "waiting" : "missing";
    },
  };
};

import { createOperator, defineConfig, type Operator, type Producer } from "holdfast";
import { queueKeys } from "../../src/core/bullmq/store/queue-keys.ts";
import { bind, bindHandler, render } from "./fixtures/books.config.ts";
import { latch } from "./latch.ts";
import { createService, type Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";

/** A service that renders chapters and binds books, with its producer, and what its worker has done. */
export async function openLibrary(variables: Variables = {}) {
  const rendered: string[] = [];
  const bound: string[] = [];
  /** Chapters that fail. */
  const bad = new Set(["bad"]);
  /** Chapters called "slow" wait for it. */
  const gate = latch();
  const application = defineConfig({
    jobs: [render, bind],
    handlers: async () => [
      render.handler(async ({ payload: { chapter } }) => {
        rendered.push(chapter);
        if (chapter.startsWith("slow")) await gate.opened;
        if (bad.has(chapter)) throw new Error("no ink");
        return { pages: chapter.length };
      }),
      bind.handler(async (attempt) => {
        bound.push(attempt.payload.title);
        return (await bindHandler.run(attempt as never)) as { pages: number; missing: string[] };
      }),
    ],
  });
  const service = createService(application, variables);
  const producer = await service.createProducer();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  return { ...service, application, producer, keys, rendered, bound, bad, gate };
}

export type Library = Awaited<ReturnType<typeof openLibrary>>;

/** A flow that binds a book of these chapters, each named like its chapter. */
export function bookOf(title: string, ...chapters: readonly string[]) {
  return {
    parent: { job: bind, payload: { title }, idempotencyKey: title },
    children: chapters.map((chapter) => ({ job: render, payload: { chapter }, name: chapter })),
  };
}

export async function operatorOf({ application, env }: Library): Promise<Operator> {
  const operator = await createOperator(application, env);
  onTestFinished(operator.stop);
  return operator;
}

/** The id of a book's chapter. */
export async function chapterId(operator: Operator, title: string, chapter: string): Promise<string> {
  const query = { type: "render", idempotencyKey: `bind:${title}/${chapter}`, limit: 1 };
  const [job] = (await operator.list(query)).jobs;
  if (job === undefined) throw new Error(`There is no chapter ${chapter} of ${title}`);
  return job.id;
}

export type { Producer };

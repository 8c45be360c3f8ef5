import { z } from "zod";
import type { DeclaredChild } from "../../core/bullmq/add/envelope.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { parseJobId } from "../../core/job/job-id.ts";
import { listOf, pairsOf, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

export const childJobSchema = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string().meta({ description: "The name that the flow gave it, or its index." }),
  state: z.enum(["failed", "waiting", "completed"]).meta({ description: "`waiting`: it has not ended." }),
});
export type ChildJob = Readonly<z.output<typeof childJobSchema>>;

const CHILDREN_LISTED = 100;

const script = loadScript(import.meta.url, "child-ids.lua", listOf(text));

/** Reads children of a flow's parent: those that failed first, then those that have not ended. */
export async function readChildJobs(
  { client, keys }: QueueStore,
  parentId: string,
  declared: readonly DeclaredChild[],
): Promise<ChildJob[]> {
  const { dependencies, processed, failed, unsuccessful } = keys.children(parentId);
  const found = await script.run(client, [dependencies, processed, failed, unsuccessful], [CHILDREN_LISTED]);
  const places = new Map(declared.map((child, index) => [child[0], { child, index }]));
  return pairsOf(found).map(([key, state]) => {
    const id = key.slice(key.lastIndexOf(":") + 1);
    const { child, index } = places.get(parseJobId(id)?.fingerprint ?? "") ?? {};
    const [, type = "", name = String(index ?? "")] = child ?? [];
    return { id, type, name, state: childJobSchema.shape.state.parse(state) };
  });
}

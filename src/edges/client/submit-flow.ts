import type { Flow, FlowReceipt } from "../../features/flows/flow.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { notHoldfast } from "./answer.ts";
import { type Api, isoOption } from "./api.ts";
import type { JobName } from "./submit.ts";

/** A flow whose jobs are named by their types or their contracts. */
type AnyFlow = Omit<Flow, "parent" | "children"> & {
  readonly parent: Named<Flow["parent"]>;
  readonly children: readonly Named<Flow["children"][number]>[];
};
type Named<Job> = Omit<Job, "job"> & { readonly job: JobName };

export async function submitFlow(api: Api, flow: AnyFlow, signal?: AbortSignal): Promise<FlowReceipt> {
  const body = jsonOf(flow);
  const answer = await api.again({ path: "/flows", method: "POST", body, signal, isKeyed: true });
  const { id, type, idempotencyKey, duplicate, children } = answer as FlowReceipt;
  if (typeof id === "string" && typeof children === "number")
    return { id, type, idempotencyKey, duplicate, children };
  throw notHoldfast("no receipt");
}

/** @throws HoldfastError `INVALID_REQUEST` */
function jsonOf({ parent, children, onChildFailure }: AnyFlow): string {
  try {
    return JSON.stringify({
      parent: submissionOf(parent, "parent"),
      children: children.map((child, index) => submissionOf(child, `children/${index}`)),
      onChildFailure,
    });
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const message = "expected what JSON can express";
    throw new HoldfastError("INVALID_REQUEST", message, { cause, issues: [{ pointer: "", message }] });
  }
}

type AnyJob = Partial<AnyFlow["children"][number]> & { readonly job: JobName };

function submissionOf({ job, payload, idempotencyKey, name, ...options }: AnyJob, place: string) {
  const instant = (option: "runAt" | "startBy") => isoOption(`${place}/options/${option}`, options[option]);
  return {
    type: typeof job === "string" ? job : job.type,
    payload,
    idempotencyKey,
    name,
    options: { ...options, runAt: instant("runAt"), startBy: instant("startBy") },
  };
}

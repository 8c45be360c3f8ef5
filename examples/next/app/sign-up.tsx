"use client";

import { createClient, type JobStatus } from "holdfast/client";
import { useActionState, useEffect, useState } from "react";
import type { welcome } from "../jobs/contract";
import { signUp } from "./actions";

/** Below the page's own origin: see api/jobs/[id]/status/route.ts. */
const client = createClient<typeof welcome>({ url: "/api" });

export function SignUp({ formId }: { formId: string }) {
  const [{ jobId, issues = [] }, submit, isPending] = useActionState(signUp, {});
  return (
    <form action={submit}>
      <input type="hidden" name="formId" value={formId} />
      <input name="email" placeholder="Email" aria-label="Email" />
      <input name="name" placeholder="Name" aria-label="Name" />
      <button type="submit" disabled={isPending}>
        Sign up
      </button>
      {issues.map((issue) => (
        <p key={issue} role="alert">
          {issue}
        </p>
      ))}
      {jobId !== undefined && <Status jobId={jobId} />}
    </form>
  );
}

function Status({ jobId }: { jobId: string }) {
  const [state, setState] = useState<JobStatus["state"]>();
  useEffect(() => {
    const left = new AbortController();
    const follow = async () => {
      for await (const status of client.follow(jobId, { signal: left.signal })) setState(status.state);
    };
    follow().catch((error: unknown) => left.signal.aborted || console.error(error));
    return () => left.abort();
  }, [jobId]);
  return <p role="status">{state ?? "…"}</p>;
}

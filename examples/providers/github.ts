// GitHub: it knows no idempotency key, but an issue can carry one.
import { defineJob, InDoubtError } from "holdfast";
import { octokit } from "holdfast/evidence";
import { Octokit } from "octokit";
import { z } from "zod";

// #region contract
export const openIssue = defineJob({
  type: "open-issue",
  payload: z.strictObject({ title: z.string() }),
  result: z.strictObject({ issue: z.int() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 2_000 } },
  timeoutMs: 60_000,
  effects: { issue: { timeoutMs: 15_000, inDoubt: "probe", classify: octokit } },
});
// #endregion

// #region handler
export function openGitHub(options: { baseUrl?: string; auth?: string } = {}): Octokit {
  return new Octokit({ retry: { enabled: false }, throttle: { enabled: false }, ...options });
}

const repository = { owner: "example", repo: "shop" };
const markOf = (key: string) => `<!-- ${key} -->`;

export const openIssueHandler = (github: Octokit) =>
  openIssue.handler(async ({ payload: { title }, effect }) => {
    const issue = await effect(
      "issue",
      async ({ key, signal }) => {
        const { data } = await github.rest.issues.create({
          ...repository,
          title,
          body: `The nightly check failed.\n\n${markOf(key)}`,
          request: { signal },
        });
        // Octokit returns an answer that was cut off as if it were whole.
        if (typeof data?.number !== "number") throw new InDoubtError("GitHub's answer was cut off");
        return data.number;
      },
      { probe: ({ key, signal }) => findIssue(github, key, signal) },
    );
    return { issue: issue ?? 0 };
  });

/** The search is late; the list is not. */
async function findIssue(github: Octokit, key: string, signal: AbortSignal) {
  const newest = { ...repository, state: "all", sort: "created", direction: "desc", per_page: 100 } as const;
  const { data } = await github.rest.issues.listForRepo({ ...newest, request: { signal } });
  if (!Array.isArray(data)) return "unknown" as const;
  const found = data.find(({ body }) => body?.includes(markOf(key)));
  if (found !== undefined) return { done: found.number };
  // On a full page, an older one may have it.
  return data.length < newest.per_page ? ("not-done" as const) : ("unknown" as const);
}
// #endregion

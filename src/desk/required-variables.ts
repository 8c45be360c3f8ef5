import type { Application } from "../core/job/application.ts";

/** The environment variables that jobs require, each with the types that require it. */
export function requiredVariables({ jobs }: Pick<Application, "jobs">): ReadonlyMap<string, string[]> {
  const types = new Map<string, string[]>();
  for (const [type, job] of jobs)
    for (const name of job.requiredVariables) types.set(name, [...(types.get(name) ?? []), type]);
  return types;
}

import type { Opening } from "./plan.ts";

/** Lets the downstream open a server of one call's own. @returns its port */
export async function openTarget(opening: Opening): Promise<number> {
  const body = JSON.stringify(opening);
  const answer = await fetch(process.env.LAB_DOWNSTREAM ?? "", { method: "POST", body });
  return (await answer.json()) as number;
}

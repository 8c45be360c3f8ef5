import { expect, it } from "vitest";
import type { JobStatus } from "../core/job/job-status.ts";
import { readStatusBy } from "./job-types.ts";

const job = (type: string) => ({ type, result: { "~standard": {} } });

it("a status that is read with a contract is that of a job of this type, or none", async () => {
  const found = { id: "1", type: "report", state: "completed" } as JobStatus;
  const status = readStatusBy(async (id) => (id === found.id ? found : undefined));

  expect(await status("1")).toBe(found);
  expect(await status(job("report"), "1")).toBe(found);
  expect(await status(job("mail"), "1")).toBeUndefined();
  expect(await status(job("report"), "2")).toBeUndefined();
});

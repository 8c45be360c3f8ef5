// Amazon S3: an object has one name, so whoever doubts can look.
import { HeadObjectCommand, PutObjectCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { defineJob } from "holdfast";
import { aws } from "holdfast/evidence";
import { z } from "zod";

// #region contract
export const storeReport = defineJob({
  type: "store-report",
  payload: z.strictObject({ month: z.string() }),
  result: z.strictObject({ name: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 120_000,
  effects: { store: { timeoutMs: 60_000, inDoubt: "probe", classify: aws } },
});
// #endregion

// #region handler
export function openS3(options: S3ClientConfig = {}): S3Client {
  return new S3Client({ maxAttempts: 1, ...options });
}

const at = (key: string) => ({ Bucket: "reports", Key: `monthly/${key}.csv` });

export const storeReportHandler = (client: S3Client) =>
  storeReport.handler(async ({ payload: { month }, effect }) => {
    await client.config.credentials();
    const name = await effect(
      "store",
      async ({ key, signal }) => {
        await client.send(new PutObjectCommand({ ...at(key), Body: `report of ${month}` }), {
          abortSignal: signal,
        });
        return at(key).Key;
      },
      {
        probe: ({ key, signal }) => findObject(client, key, signal),
        assumedResult: ({ key }) => at(key).Key,
      },
    );
    return { name };
  });

async function findObject(client: S3Client, key: string, abortSignal: AbortSignal) {
  try {
    await client.send(new HeadObjectCommand(at(key)), { abortSignal });
    return { done: at(key).Key };
  } catch (error) {
    if (error instanceof Error && error.name === "NotFound") return "not-done" as const;
    throw error;
  }
}
// #endregion

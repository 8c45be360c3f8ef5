import { type Target, urlOf } from "./call.ts";

/** What every client of the AWS SDK needs to find a downstream of ours. */
export function awsOptions(target: Target) {
  return {
    region: "eu-central-1",
    endpoint: urlOf(target),
    credentials: { accessKeyId: "truth", secretAccessKey: "truth" },
    requestHandler: { requestTimeout: target.timeoutMs, throwOnRequestTimeout: true },
  };
}

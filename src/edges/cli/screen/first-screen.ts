import { join } from "node:path";
import type { Application } from "../../../core/job/application.ts";
import type { Settings } from "../../../platform/config/settings.ts";
import { durabilityText } from "../../../platform/config/variables.ts";
import { examplePayload } from "./example-payload.ts";
import { jsonLine } from "./output.ts";

export const getMailServer =
  "docker run -p 127.0.0.1:1025:1025 -p 127.0.0.1:8025:8025 axllent/mailpit, and SMTP_URL=smtp://127.0.0.1:1025";

/** What `up` prints: what runs where, and a request to copy. */
export function firstScreen(
  settings: Settings,
  application: Pick<Application, "jobs">,
  apiUrl: string,
): string {
  const dataDir = settings.HOLDFAST_DATA_DIR;
  const redis = settings.REDIS_URL === undefined ? `embedded, in ${join(dataDir, "store")}` : "REDIS_URL";
  const key = settings.HOLDFAST_API_KEYS.length === 0 ? "" : "-H 'authorization: Bearer YOUR_KEY' ";
  const mail = settings.SMTP_URL === undefined ? `none; to get one: ${getMailServer}` : "SMTP_URL";
  return `
  Holdfast is up.

    API        ${apiUrl}
    Console    ${apiUrl}/console/
    Reference  ${apiUrl}/docs
    Mail       ${mail}
    Redis      ${redis}, durability "${durabilityText(settings.HOLDFAST_DURABILITY)}"

${requestToCopy(application, apiUrl, key)}

  Ctrl-C stops everything cleanly. Accepted jobs are kept.

`;
}

function requestToCopy({ jobs }: Pick<Application, "jobs">, apiUrl: string, key: string): string {
  const [job] = jobs.values();
  if (job === undefined)
    return "  The application has no jobs yet: list them in defineConfig({ jobs: [ … ] }).";
  const payload = examplePayload(job);
  if (payload === undefined)
    return `  Submit a job: ${apiUrl}/docs shows the payload of "${job.type}". Give its schema an example, and it is shown here:
  .meta({ examples: [ … ] })`;
  return `  Submit a job:

    curl -s ${apiUrl}/jobs ${key}-H 'content-type: application/json' -d '{
      "type": "${job.type}",
      "payload": ${inSingleQuotes(jsonLine(payload))},
      "idempotencyKey": "${job.type}-1" }'

  Then read its status, with the id from the answer:

    curl -s ${key}${apiUrl}/jobs/ID/status`;
}

/** For a POSIX shell, where only a single quote ends single quotes. */
function inSingleQuotes(text: string): string {
  return text.replaceAll("'", "'\\''");
}

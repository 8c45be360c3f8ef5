import { join } from "node:path";
import type { Application } from "../../../core/job/application.ts";
import { requiredVariables } from "../../../desk/required-variables.ts";
import type { Settings } from "../../../platform/config/settings.ts";
import { durabilityText } from "../../../platform/config/variables.ts";
import { examplePayload } from "./example-payload.ts";
import { jsonLine } from "./output.ts";

export const getMailServer =
  "docker run -p 127.0.0.1:1025:1025 -p 127.0.0.1:8025:8025 axllent/mailpit, and SMTP_URL=smtp://127.0.0.1:1025";

/** What `up` has started. */
export interface WhatRuns {
  readonly apiUrl: string;
  readonly hasRelay: boolean;
}

/** What `up` prints: what runs where, and a request to copy. */
export function firstScreen(
  settings: Settings,
  application: Pick<Application, "jobs">,
  { apiUrl, hasRelay }: WhatRuns,
): string {
  const dataDir = settings.HOLDFAST_DATA_DIR;
  const redis = settings.REDIS_URL === undefined ? `embedded, in ${join(dataDir, "store")}` : "REDIS_URL";
  const key = settings.HOLDFAST_API_KEYS.length === 0 ? "" : "-H 'authorization: Bearer YOUR_KEY' ";
  return `
  Holdfast is up.

    API        ${apiUrl}
    Console    ${apiUrl}/console/
    Reference  ${apiUrl}/docs
    Worker     runs ${queuesOf(application).join(", ") || "nothing yet"}
    Relay      ${hasRelay ? "runs, for the outbox of DATABASE_URL" : "none, without an outbox"}
    Metrics    ${metricsText(settings)}
${mailLine(settings, application)}    Redis      ${redis}, durability "${durabilityText(settings.HOLDFAST_DURABILITY)}"

${requestToCopy(application, apiUrl, key)}

  Ctrl-C stops everything cleanly. Accepted jobs are kept.

`;
}

function queuesOf({ jobs }: Pick<Application, "jobs">): string[] {
  return [...new Set([...jobs.values()].map(({ queue }) => queue))];
}

function metricsText({ HOLDFAST_METRICS_PORT: port, HOLDFAST_METRICS_HOST: host }: Settings): string {
  if (port === undefined) return "of each process, with HOLDFAST_METRICS_PORT=9464";
  return port === 0
    ? "of each process, on a free port"
    : `http://${host}:${port}/metrics of the worker, the others on the next ports`;
}

/** Only where a job sends mail. */
function mailLine({ SMTP_URL: url }: Settings, application: Pick<Application, "jobs">): string {
  if (!requiredVariables(application).has("SMTP_URL")) return "";
  return `    Mail       ${url === undefined ? `none; to get one: ${getMailServer}` : whereMailIs(url)}\n`;
}

/** The page that shows it, which the mailbox of development has in the fragment of its address; otherwise the server, without a password. */
function whereMailIs(address: string): string {
  const { protocol, host, hash } = new URL(address);
  return hash.startsWith("#http") ? hash.slice(1) : `${protocol}//${host}`;
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

import { join } from "node:path";
import type { Settings } from "../config/settings.ts";

interface FirstScreen {
  readonly settings: Settings;
  readonly apiUrl: string;
  readonly mailboxUrl: string | undefined;
}

/** What `up` prints: what runs where, and a request to copy. */
export function firstScreen({ settings, apiUrl, mailboxUrl }: FirstScreen): string {
  const dataDir = settings.HOLDFAST_DATA_DIR;
  const redis = settings.REDIS_URL === undefined ? `embedded, in ${join(dataDir, "store")}` : "REDIS_URL";
  const key = settings.HOLDFAST_API_KEYS.length === 0 ? "" : "-H 'authorization: Bearer YOUR_KEY' ";
  const mail =
    mailboxUrl === undefined
      ? "SMTP_URL"
      : `${mailboxUrl}  (development mailbox, files in ${join(dataDir, "mailbox")})`;
  return `
  Holdfast is up.

    API        ${apiUrl}
    Console    ${apiUrl}/console/
    Reference  ${apiUrl}/docs
    Mail       ${mail}
    Redis      ${redis}, durability "${settings.HOLDFAST_DURABILITY.level}"

  Submit a job:

    curl -s ${apiUrl}/jobs ${key}-H 'content-type: application/json' -d '{
      "type": "welcome-email",
      "payload": { "email": "anoop@example.com", "name": "Anoop", "message": "Congratulations! Your background job system is live." },
      "idempotencyKey": "signup-42" }'

  Then read its status, with the id from the answer:

    curl -s ${key}${apiUrl}/jobs/ID/status

  Ctrl-C stops everything cleanly. Accepted jobs are kept.

`;
}

import type { Classify } from "../job/effect.ts";
import { classifierOf, notDone, type Recognised } from "./classifier.ts";
import { type ErrorNode, read, readText } from "./error-nodes.ts";
import { isOneConnection } from "./seen.ts";

/** nodemailer's codes for what it finds out before a message is begun. */
const BEFORE_MESSAGE: ReadonlySet<string> = new Set([
  "EAUTH",
  "ECONFIG",
  "EDNS",
  "EENVELOPE",
  "EMAXRECIPIENTS",
  "ENOAUTH",
  "EOAUTH2",
  "EPROXY",
  "EREQUIRETLS",
  "ETLS",
]);
const OTHERS: ReadonlySet<string> = new Set([
  "ECONNECTION",
  "EMESSAGE",
  "EPROTOCOL",
  "ESOCKET",
  "ESTREAM",
  "ETIMEDOUT",
]);
const BEFORE_MESSAGE_TIMEOUTS: ReadonlySet<string> = new Set([
  "CONNECT_TIMEOUT",
  "GREETING_TIMEOUT",
  "UPGRADE_TIMEOUT",
]);
const BAD_SEQUENCE = 503;

/**
 * `nodemailer` over SMTP. A reply of 4xx or 5xx refuses the mail at any point, so it is not done; 5xx for good. So is what fails before the
 * message is begun, where nodemailer says so. Connections lost and time-outs are unknown: nodemailer does not say whether it was before or
 * after the message.
 *
 * One mail is one effect: two mails that share a pool's connection look like one.
 */
export const smtp: Classify = classifierOf(
  (node) => replyCode(node) !== undefined || isOfNodemailer(node),
  (error) => {
    const verdict = verdictOfMail(error);
    return verdict === "unknown" || verdict === undefined || isOneConnection(error.seen)
      ? verdict
      : "unknown";
  },
);

function verdictOfMail({ node, nodes }: Recognised) {
  const reply = replyCode(node);
  if (reply !== undefined && reply >= 400 && reply <= 599)
    return notDone({ permanent: reply >= 500 && reply !== BAD_SEQUENCE });
  if (BEFORE_MESSAGE.has(readText(node, "code")) || isTooLarge(node)) return notDone();
  if (nodes.some((one) => BEFORE_MESSAGE_TIMEOUTS.has(readText(one, "timeoutType")))) return notDone();
  return isNeverConnected(node) ? undefined : "unknown";
}

function replyCode(node: ErrorNode): number | undefined {
  const code = read(node, "responseCode");
  return typeof code === "number" ? code : undefined;
}

function isOfNodemailer(node: ErrorNode): boolean {
  const code = readText(node, "code");
  return readText(node, "command") !== "" && (BEFORE_MESSAGE.has(code) || OTHERS.has(code));
}

/** Or empty: found out before the message is begun. */
function isTooLarge(node: ErrorNode): boolean {
  return readText(node, "code") === "EMESSAGE" && readText(node, "command") !== "DATA";
}

/** Then the system's error decides. */
function isNeverConnected(node: ErrorNode): boolean {
  return ["connect", "getaddrinfo"].includes(readText(node, "syscall"));
}

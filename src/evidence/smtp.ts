import type { Classify } from "./classifier.ts";
import { classifierOf, notDone } from "./classifier.ts";
import { type ErrorNode, memberOf, textIn } from "./error-tree.ts";
import { isNothingSent, isOneConnection } from "./seen.ts";

/** nodemailer's codes for what it finds out before it connects. */
const BEFORE_CONNECTION: ReadonlySet<string> = new Set(["ECONFIG", "EDNS", "EMAXRECIPIENTS"]);
/** And before a message is begun. */
const BEFORE_MESSAGE: ReadonlySet<string> = new Set([
  "EAUTH",
  "EENVELOPE",
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
  ({ node, nodes, seen }) => {
    if (isNeverConnected(node, nodes) || isNothingSent(seen))
      return isNothingSent(seen) ? "not-done" : "unknown";
    if (!isOneConnection(seen)) return "unknown";
    const reply = replyCode(node) ?? 0;
    if (reply >= 400 && reply <= 599) return notDone({ permanent: reply >= 500 && reply !== BAD_SEQUENCE });
    return isBeforeMessage(node, nodes) ? "not-done" : "unknown";
  },
);

function isNeverConnected(node: ErrorNode, nodes: readonly ErrorNode[]): boolean {
  return (
    BEFORE_CONNECTION.has(textIn(node, "code")) || nodes.some((one) => textIn(one, "syscall") === "connect")
  );
}

function isBeforeMessage(node: ErrorNode, nodes: readonly ErrorNode[]): boolean {
  if (BEFORE_MESSAGE.has(textIn(node, "code")) || isTooLarge(node)) return true;
  return nodes.some((one) => BEFORE_MESSAGE_TIMEOUTS.has(textIn(one, "timeoutType")));
}

function replyCode(node: ErrorNode): number | undefined {
  const code = memberOf(node, "responseCode");
  return typeof code === "number" ? code : undefined;
}

function isOfNodemailer(node: ErrorNode): boolean {
  const code = textIn(node, "code");
  const isKnown = BEFORE_CONNECTION.has(code) || BEFORE_MESSAGE.has(code) || OTHERS.has(code);
  return isKnown && textIn(node, "command") !== "";
}

/** Or empty: found out before the message is begun. */
function isTooLarge(node: ErrorNode): boolean {
  return textIn(node, "code") === "EMESSAGE" && textIn(node, "command") !== "DATA";
}

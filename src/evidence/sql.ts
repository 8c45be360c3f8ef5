import type { Classify } from "./classifier.ts";
import { classifierOf, has } from "./classifier.ts";
import { type ErrorNode, memberOf, textIn } from "./error-tree.ts";
import { isNothingSent, isOneConnection } from "./seen.ts";

/**
 * Classes of SQLSTATE that refuse a statement, or roll its transaction back: data, constraints, states of transactions, authorisation, names,
 * deadlocks, syntax, checks, resources, limits, locks, `RAISE` and `SIGNAL`.
 */
const REFUSED = /^(0A|20|21|22|23|25|26|28|3D|3F|40|42|44|45|53|54|55|P0)/;
/** No session was begun; a statement was cancelled. */
const REFUSED_TOO: ReadonlySet<string> = new Set(["08001", "08004", "57014"]);
/** Whether the statement, or the commit, was carried out is not known. */
const UNKNOWN: ReadonlySet<string> = new Set(["40003"]);
/** MySQL's own: full, blocked and read-only servers, locks, values and checks. */
const REFUSED_BY_MYSQL: ReadonlySet<unknown> = new Set([
  1040, 1129, 1130, 1203, 1205, 1290, 1364, 1366, 1836, 3572, 3819,
]);
/** MySQL's words for a connection, not for a statement. */
const LOST_BY_CODE = /^(PROTOCOL_|CONNECTION_(CLOSED|DESTROYED|ENDED)$)/;
const LOST_BY_MESSAGE = /^(Connection terminated|Query read timeout)/;
/** `pg` had no connection to send the statement on. */
const NO_CONNECTION =
  /^(timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/;

/**
 * `pg`, `postgres` and `mysql2`, also inside of query builders. A refused statement is rolled back, so not done. A lost connection, a server
 * that stops, and 40003 and 08007 (also in COMMIT) are unknown.
 *
 * The effect is one statement, or one transaction: nothing is known here of a statement that was committed before the refused one. Nor of one that
 * a pool has sent for somebody else, so that a refusal counts only if the effect itself was seen to use one connection.
 */
export const sql: Classify = classifierOf(
  (node) => isOfPostgres(node) || isOfMysql(node) || isLost(node) || isWithoutConnection(node),
  ({ node, seen }) => {
    const isOfConnection = isWithoutConnection(node) || memberOf(node, "fatal") === true;
    const isProved = (isOfConnection && isNothingSent(seen)) || (isRefused(node) && isOneConnection(seen));
    return isProved ? "not-done" : "unknown";
  },
);

function isRefused(node: ErrorNode): boolean {
  if (isOfMysql(node)) return isRefusedByMysql(node);
  return isOfPostgres(node) && isRefusedState(textIn(node, "code"));
}

function isRefusedState(state: string): boolean {
  return (REFUSED.test(state) || REFUSED_TOO.has(state)) && !UNKNOWN.has(state);
}

/** A fatal error can come in the middle of a statement, unlike a refused login. */
function isRefusedByMysql(node: ErrorNode): boolean {
  if (REFUSED_BY_MYSQL.has(memberOf(node, "errno"))) return true;
  const state = textIn(node, "sqlState");
  return isRefusedState(state) && (memberOf(node, "fatal") !== true || /^(28|42)/.test(state));
}

function isOfPostgres(node: ErrorNode): boolean {
  return /^[0-9A-Z]{5}$/.test(textIn(node, "code")) && textIn(node, "severity") !== "";
}

/** Without a SQLSTATE where the server refuses before it has read anything. */
function isOfMysql(node: ErrorNode): boolean {
  return has(node, "sqlState") && has(node, "sqlMessage") && typeof memberOf(node, "errno") === "number";
}

function isLost(node: ErrorNode): boolean {
  return LOST_BY_CODE.test(textIn(node, "code")) || LOST_BY_MESSAGE.test(textIn(node, "message"));
}

function isWithoutConnection(node: ErrorNode): boolean {
  return NO_CONNECTION.test(textIn(node, "message"));
}

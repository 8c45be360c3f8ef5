import { createHmac } from "node:crypto";
import { type Environment, invalidEnvironment, readVariable } from "../../platform/config/settings.ts";
import { HoldfastError, type Issue } from "../../platform/errors/holdfast-error.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import type { NoticeKind, NoticeReceiver, Notices } from "./feature.ts";
import { type Notice, noticeText } from "./notice.ts";

/** Somebody who can be told. */
export interface OpenReceiver {
  readonly name: string;
  wants(kind: Notice["kind"]): boolean;
  /** Resolves once the receiver has accepted it. */
  deliver(notice: Notice, signal: AbortSignal): Promise<void>;
}

/** A receiver that does not answer must not keep the others waiting. */
export const DELIVERY_MAX_MS = 10_000;

/**
 * Opens the receivers with the variables that they name.
 *
 * @throws HoldfastError `CONFIG_INVALID` with one issue per variable that is missing or wrong
 */
export function openReceivers(notices: Notices | undefined, env?: Environment): readonly OpenReceiver[] {
  const issues: Issue[] = [];
  const read = (name: string, receiver: string, expected: string, isRight: (text: string) => boolean) => {
    const text = readVariable(name, env);
    if (text !== undefined && isRight(text)) return text;
    const got = text === undefined ? "nothing" : "(hidden)";
    const message = `expected ${expected} (required by notices to ${receiver}), got ${got}`;
    issues.push({ pointer: name, message });
    return "";
  };
  const open = (declared: NoticeReceiver): OpenReceiver => {
    const { name } = declared;
    const kinds: readonly Notice["kind"][] | undefined = declared.kinds;
    const wants = (kind: NoticeKind | "test") => kind === "test" || (kinds ?? [kind]).includes(kind);
    if ("mail" in declared) {
      const server = read("SMTP_URL", name, "smtp:// or smtps://", (text) => /^smtps?:\/\/./.test(text));
      const deliver: OpenReceiver["deliver"] = (notice) => mail(server, declared, notice);
      return { name, wants, deliver };
    }
    if ("slack" in declared) {
      const url = read(declared.slack, name, "a URL of http:// or https://", isHttp);
      const deliver: OpenReceiver["deliver"] = (notice, signal) =>
        post(url, {}, JSON.stringify(slackBody(notice)), signal);
      return { name, wants, deliver };
    }
    const url = read(declared.webhook, name, "a URL of http:// or https://", isHttp);
    const secret = read(declared.secret, name, "whsec_ and 24 to 64 bytes in base64", isSecret);
    const deliver: OpenReceiver["deliver"] = (notice, signal) => {
      const body = JSON.stringify(webhookBody(notice));
      return post(url, signatureHeaders(secret, notice.id, new Date(), body), body, signal);
    };
    return { name, wants, deliver };
  };
  const opened = (notices?.receivers ?? []).map(open);
  if (issues.length > 0) throw invalidEnvironment(issues);
  return opened;
}

/** For people: without what is secret. */
export function howTold(receiver: NoticeReceiver): string {
  if ("mail" in receiver) return `mail to ${receiver.mail}`;
  if ("slack" in receiver) return `Slack's format to the URL in ${receiver.slack}`;
  return `signed JSON to the URL in ${receiver.webhook}`;
}

function isHttp(text: string): boolean {
  return /^https?:\/\/./.test(text) && URL.canParse(text);
}

/** As Standard Webhooks has events. */
function webhookBody(notice: Notice) {
  return { type: `holdfast.${notice.kind}.${notice.stage}`, timestamp: notice.at, data: notice };
}

/** Names of queues and types come from code, those of guarantees too: nothing in it is a link or a mention but ours. */
function slackBody(notice: Notice) {
  const escaped = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const link = notice.link === null ? [] : [`<${notice.link}|Open the console>`];
  return { text: [`*${escaped(notice.title)}*`, escaped(noticeText(notice)), ...link].join("\n") };
}

/** @throws an error whose message names no URL: it can be a secret */
async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(DELIVERY_MAX_MS)]);
  const all = { "content-type": "application/json", "user-agent": "Holdfast", ...headers };
  let answer: Response;
  try {
    answer = await fetch(url, { method: "POST", headers: all, body, redirect: "manual", signal: within });
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`The receiver did not answer: ${reasonOf(error)}`);
  }
  await answer.body?.cancel().catch(() => {});
  if (!answer.ok) throw new Error(`The receiver answered ${answer.status}`);
}

/** What `fetch` says first is only that it failed. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  if (typeof cause?.code === "string") return cause.code;
  return error instanceof Error && error.name === "TimeoutError"
    ? `none within ${DELIVERY_MAX_MS / 1_000} s`
    : "the request failed";
}

async function mail(
  server: string,
  { mail: to, from }: Extract<NoticeReceiver, { readonly mail: string }>,
  notice: Notice,
): Promise<void> {
  const transport = (await loadMailer()).createTransport({
    url: server,
    dnsTimeout: DELIVERY_MAX_MS / 2,
    connectionTimeout: DELIVERY_MAX_MS / 2,
    greetingTimeout: DELIVERY_MAX_MS / 2,
    socketTimeout: DELIVERY_MAX_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to: { name: "", address: to },
      subject: `[${notice.application}] ${notice.title}`,
      text: [noticeText(notice), ...(notice.link === null ? [] : [notice.link])].join("\n\n"),
      messageId: `<${notice.id}@holdfast.invalid>`,
    });
  } catch (error) {
    throw new Error(`The mail server did not accept the mail: ${messageOf(error)}`);
  }
}

async function loadMailer(): Promise<Pick<typeof import("nodemailer"), "createTransport">> {
  try {
    return await import("nodemailer");
  } catch (cause) {
    const message =
      "notices are to be mailed, and the package nodemailer is not installed: npm install nodemailer";
    throw new HoldfastError("CONFIG_INVALID", message, { cause });
  }
}

const PREFIX = "whsec_";

/** Whether it is a secret as Standard Webhooks has them: `whsec_` and 24 to 64 bytes in base64. */
function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const base64 = text.slice(PREFIX.length);
  const bytes = Buffer.from(base64, "base64");
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString("base64") === base64;
}

/**
 * The headers of https://www.standardwebhooks.com.
 *
 * @param id the same for each delivery of one notice, without full stops
 * @param at the time of this delivery
 */
function signatureHeaders(secret: string, id: string, at: Date, body: string): Record<string, string> {
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

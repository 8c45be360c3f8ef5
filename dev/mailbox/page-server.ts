import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createHostGuard, type HostGuard } from "../../src/platform/lib/hosts.ts";
import type { Logger } from "../../src/platform/lib/logger.ts";
import { type Running, stopOnce } from "../../src/platform/lib/running.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";
import type { MailDirectory, MailId } from "./mail-directory.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { mailListPage, mailPage, messagePage } from "./page-templates.ts";
import { openMail, summarizeMail } from "./read-mail.ts";

/** The most mails that the list shows. */
const listedMails = 200;

/** The only paths below the list. Nothing else reaches the file system. */
const mailPath = /^\/mails\/(\d{8}T\d{9}Z-[0-9a-f]{8})(\.eml|\/html)?$/;

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What each kind of answer may do in a browser: as little as possible. */
const policies = {
  page: `default-src 'none'; style-src ${hashOf(pageStyle)}; script-src ${hashOf(pageScript)}; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  mailHtml:
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox",
  raw: "default-src 'none'; frame-ancestors 'none'",
};

interface Answer {
  readonly status: number;
  readonly type: "html" | "plain";
  readonly policy: keyof typeof policies;
  readonly body: string | Buffer;
}

interface PageServerOptions {
  readonly mails: MailDirectory;
  readonly port: number;
  readonly allowedHosts: ReadonlySet<string>;
  readonly log: Pick<Logger, "warn"> | undefined;
}

/** Shows the mails to browsers on this machine. Read-only. */
export async function startPageServer({
  mails,
  port,
  allowedHosts,
  log,
}: PageServerOptions): Promise<Running & { url: string }> {
  const guard = createHostGuard(allowedHosts);
  const server = createServer({ requestTimeout: 10_000 }, async (request, response) => {
    const answer = await answerTo(request, mails, guard).catch((error: unknown) => {
      log?.warn({ err: error }, "mailbox page failed");
      return refusal(500, "This page failed.");
    });
    send(response, answer);
  });
  const address = await listenOnLoopback(server, port);

  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://${address}`, stop: stopOnce(stop) };
}

async function answerTo(request: IncomingMessage, mails: MailDirectory, guard: HostGuard): Promise<Answer> {
  const stranger = guard(request);
  if (stranger !== undefined) return refusal(stranger.statusCode, `${stranger.message}.`);
  if (request.method !== "GET" && request.method !== "HEAD")
    return refusal(405, "These pages are read-only.");
  const [path = ""] = (request.url ?? "").split("?");
  if (path === "/") return mailList(mails);
  const [, id, part] = mailPath.exec(path) ?? [];
  const answer = id === undefined ? undefined : await mailPart(mails, id, part);
  return answer ?? refusal(404, "There is no such mail.");
}

async function mailList(mails: MailDirectory): Promise<Answer> {
  const { ids, total } = await mails.newest(listedMails);
  const summaries = await Promise.all(ids.map((id) => summarizeMail(mails, id)));
  return ok(
    "html",
    "page",
    mailListPage(
      summaries.filter((summary) => summary !== undefined),
      total,
    ),
  );
}

async function mailPart(
  mails: MailDirectory,
  id: MailId,
  part: string | undefined,
): Promise<Answer | undefined> {
  if (part === ".eml") {
    const message = await mails.read(id);
    return message && ok("plain", "raw", message);
  }
  const mail = await openMail(mails, id);
  if (mail === undefined) return undefined;
  return part === "/html" ? ok("html", "mailHtml", mail.html ?? "") : ok("html", "page", mailPage(mail));
}

function ok(type: Answer["type"], policy: Answer["policy"], body: Answer["body"]): Answer {
  return { status: 200, type, policy, body };
}

function refusal(status: number, message: string): Answer {
  return { status, type: "html", policy: "page", body: messagePage(message) };
}

function send(response: ServerResponse, { status, type, policy, body }: Answer): void {
  response.writeHead(status, {
    "content-type": `text/${type}; charset=utf-8`,
    "content-length": Buffer.byteLength(body),
    "content-security-policy": policies[policy],
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    ...(status === 405 && { allow: "GET, HEAD" }),
  });
  response.end(body); // node leaves the body out of an answer to HEAD
}

import { Html, html } from "./html.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import type { MailSummary, OpenedMail } from "./read-mail.ts";

/** How often the list is read again. */
const refreshSeconds = 5;

export function mailListPage(mails: readonly MailSummary[], total: number): string {
  return page({
    title: "Mailbox",
    refresh: refreshSeconds,
    body: mails.length === 0 ? emptyList : mailList(mails, total),
  });
}

export function mailPage(mail: OpenedMail): string {
  const body = html`
    <p class="note"><a href="/">All mail</a></p>
    <h1><bdi>${mail.subject}</bdi></h1>
    <dl class="sheet">
      ${mail.headers.map(([name, value]) => headerRow(name, html`<bdi>${value}</bdi>`))}
      ${headerRow("Received", timeOf(mail.arrivedAt))}
      ${headerRow("File", html`<a href="/mails/${mail.id}.eml">${mail.id}.eml</a>`)}
    </dl>
    ${mail.text === undefined ? undefined : html`<h2>Text</h2><pre class="sheet" dir="auto">${mail.text}</pre>`}
    ${mail.html === undefined ? undefined : html`<h2>HTML</h2>${htmlFrame(mail)}`}
    ${mail.text === undefined && mail.html === undefined ? html`<p>No text to show. The file has everything that was received.</p>` : undefined}`;
  return page({ title: mail.subject, body });
}

export function messagePage(message: string): string {
  const body = html`<div class="sheet empty"><h1>${message}</h1><p><a href="/">All mail</a></p></div>`;
  return page({ title: message, body });
}

const emptyList = html`
  <div class="sheet empty">
    <h1>No mail yet.</h1>
    <p>Mail from the jobs appears here within ${refreshSeconds} seconds.</p>
  </div>`;

function mailList(mails: readonly MailSummary[], total: number): Html {
  const count =
    total > mails.length
      ? `The newest ${mails.length} of ${total} mails.`
      : `${total} ${total === 1 ? "mail" : "mails"}.`;
  return html`
    <ul class="sheet mails">${mails.map(mailRow)}</ul>
    <p class="note">${count}</p>`;
}

function mailRow(mail: MailSummary): Html {
  return html`
    <li><a href="/mails/${mail.id}">
      <span class="subject"><bdi>${mail.subject}</bdi></span>
      ${timeOf(mail.arrivedAt)}
      <span class="people"><span>to <bdi>${mail.to}</bdi></span> <span>from <bdi>${mail.from}</bdi></span></span>
    </a></li>`;
}

function headerRow(name: string, value: Html): Html {
  return html`<dt>${name}</dt><dd>${value}</dd>`;
}

/** `sandbox=""` forbids the mail's HTML everything: scripts, forms, pop-ups, navigation. */
function htmlFrame(mail: OpenedMail): Html {
  return html`<iframe class="sheet" sandbox="" src="/mails/${mail.id}/html" title="The HTML of this mail"></iframe>`;
}

function timeOf(instant: Date): Html {
  const iso = instant.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

function page({ title, refresh, body }: { title: string; refresh?: number; body: Html }): string {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title}</title>
  ${refresh === undefined ? undefined : html`<noscript><meta http-equiv="refresh" content="${refresh}"></noscript>`}
  <style>${new Html(pageStyle)}</style>
</head>
<body>
  <header><a href="/">Mailbox</a><p>Development mail: stored here, delivered to nobody.</p></header>
  <main data-refresh="${refresh}">${body}</main>
  <script>${new Html(pageScript)}</script>
</body>
</html>
`.markup;
}

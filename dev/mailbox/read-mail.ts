import { type AddressObject, type ParsedMail, simpleParser } from "mailparser";
import { arrivalOf, type MailDirectory, type MailId } from "./mail-directory.ts";

/** A mail in the list. */
export interface MailSummary {
  readonly id: MailId;
  readonly arrivedAt: Date;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
}

/** A mail on its own page. */
export interface OpenedMail extends MailSummary {
  /** The headers that people look for, in order, without absent ones. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly text: string | undefined;
  /** As the sender wrote it: assume it is hostile. */
  readonly html: string | undefined;
}

/** Enough for the headers of any usual mail. The list reads no more. */
const headBytes = 64 * 1024;

/** Reads only the headers of a mail. @returns undefined if there is no such mail */
export async function summarizeMail(mails: MailDirectory, id: MailId): Promise<MailSummary | undefined> {
  const start = await mails.read(id, headBytes);
  return start && summaryOf(id, await parse(headOf(start)));
}

/** Reads a whole mail. @returns undefined if there is no such mail */
export async function openMail(mails: MailDirectory, id: MailId): Promise<OpenedMail | undefined> {
  const message = await mails.read(id);
  if (message === undefined) return undefined;
  const parsed = await parse(message);
  return {
    ...summaryOf(id, parsed),
    headers: headersOf(parsed),
    text: parsed?.text || undefined,
    html: parsed?.html || undefined,
  };
}

/** @returns undefined if the bytes cannot be parsed as a mail */
async function parse(message: Buffer): Promise<ParsedMail | undefined> {
  return simpleParser(message, { skipHtmlToText: true, skipTextToHtml: true }).catch(() => undefined);
}

function headOf(message: Buffer): Buffer {
  const end = message.indexOf("\r\n\r\n");
  return end === -1 ? message : message.subarray(0, end + 4);
}

function summaryOf(id: MailId, mail: ParsedMail | undefined): MailSummary {
  return {
    id,
    arrivedAt: arrivalOf(id),
    from: addressText(mail?.from) || "(no sender)",
    to: addressText(mail?.to) || "(no recipient)",
    subject: mail ? mail.subject || "(no subject)" : "(not readable as a mail)",
  };
}

function headersOf(mail: ParsedMail | undefined): OpenedMail["headers"] {
  if (mail === undefined) return [];
  const attachments = mail.attachments.map(
    ({ filename, contentType, size }) => `${filename ?? "unnamed"} (${contentType}, ${size} bytes)`,
  );
  const candidates: ReadonlyArray<readonly [string, string | undefined]> = [
    ["From", addressText(mail.from)],
    ["To", addressText(mail.to)],
    ["Cc", addressText(mail.cc)],
    ["Reply-To", addressText(mail.replyTo)],
    ["Date", mail.date?.toUTCString()],
    ["Message-ID", mail.messageId],
    ["Attachments", attachments.join(", ")],
  ];
  return candidates.flatMap(([name, value]) => (value ? [[name, value] as const] : []));
}

function addressText(addresses: AddressObject | AddressObject[] | undefined): string {
  return [addresses ?? []]
    .flat()
    .map(({ text }) => text)
    .join(", ");
}

import { createTransport, type Transporter } from "nodemailer";
import { CLIENT_WAITS_MS, type MailClient } from "./plan.ts";

interface MailSender {
  send(body: string): Promise<unknown>;
  /** Keeps its connection busy, outside of the effect. Resolves when it no longer does. */
  warm(): Promise<void>;
}

const common = {
  host: "127.0.0.1",
  connectionTimeout: CLIENT_WAITS_MS,
  greetingTimeout: CLIENT_WAITS_MS,
  socketTimeout: CLIENT_WAITS_MS,
};

/** The pool sends again what it had on a connection that was closed. */
const options = {
  nodemailer: common,
  "nodemailer pool": { ...common, pool: true, maxConnections: 1, maxRequeues: 2 },
};

export function openMailSender(client: MailClient, port: number): MailSender {
  const transport: Transporter = createTransport({ ...options[client], port });
  return {
    async send(body) {
      try {
        return await transport.sendMail(messageTo("lab@example.com", body));
      } finally {
        transport.close();
      }
    },
    async warm() {
      await transport.sendMail(messageTo("warm@example.com", "hello")).catch(() => {});
    },
  };
}

function messageTo(to: string, body: string) {
  return { envelope: { from: "lab@example.com", to }, raw: `Subject: laboratory\r\n\r\n${body}` };
}

import { createTransport } from "nodemailer";
import { smtp } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";

/** As `nodemailer`, over TLS from the beginning. */
async function send({ host, port, timeoutMs }: Target): Promise<unknown> {
  const times = { socketTimeout: timeoutMs, connectionTimeout: timeoutMs };
  const transport = createTransport({ host, port, secure: true, ...times, tls: { servername: "" } });
  const mail = { from: "shop@example.com", to: "ann@example.com", subject: "Your order", text: "Coffee" };
  return (await transport.sendMail(mail)).messageId;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: smtp };

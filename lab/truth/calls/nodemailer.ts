import { createTransport } from "nodemailer";
import { smtp } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";

async function send({ host, port, timeoutMs }: Target): Promise<unknown> {
  const transport = createTransport({ host, port, socketTimeout: timeoutMs, connectionTimeout: timeoutMs });
  const mail = { from: "shop@example.com", to: "ann@example.com", subject: "Your order", text: "Coffee" };
  return (await transport.sendMail(mail)).messageId;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: smtp };

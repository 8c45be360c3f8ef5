import { Injectable } from "@nestjs/common";

/** A stand-in for what an application has anyway. */
@Injectable()
export class Mailer {
  async send(mail: { to: string; text: string; id: string }) {
    return { messageId: mail.id };
  }
}

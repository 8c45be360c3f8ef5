import { Injectable } from "@nestjs/common";
import { type AttemptOf } from "holdfast";
import { HandlesJob } from "holdfast/nestjs";
import { welcome } from "./jobs.js";
import { Mailer } from "./mailer.js";

@Injectable()
export class WelcomeMails {
  constructor(private readonly mailer: Mailer) {}

  @HandlesJob(welcome)
  async send({ payload, effect }: AttemptOf<typeof welcome>) {
    const mail = { to: payload.email, text: `Welcome, ${payload.name}` };
    return await effect("send", ({ key }) => this.mailer.send({ ...mail, id: key }), {
      // If a person says that it was sent.
      assumedResult: ({ key }) => ({ messageId: key }),
    });
  }
}

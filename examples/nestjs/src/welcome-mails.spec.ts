import { Test } from "@nestjs/testing";
import { runHandler } from "holdfast/testing";
import { welcome } from "./jobs.js";
import { Mailer } from "./mailer.js";
import { WelcomeMails } from "./welcome-mails.js";

describe("a welcome mail", () => {
  it("is sent once, with the name", async () => {
    const sent: string[] = [];
    const mailer = { send: async ({ text }: { text: string }) => ({ messageId: `${sent.push(text)}` }) };
    const container = await Test.createTestingModule({
      providers: [WelcomeMails, { provide: Mailer, useValue: mailer }],
    }).compile();
    const mails = container.get(WelcomeMails);

    const { result } = await runHandler(
      welcome.handler((attempt) => mails.send(attempt)),
      { email: "li@example.com", name: "Li" },
    );

    expect(result).toEqual({ messageId: "1" });
    expect(sent).toEqual(["Welcome, Li"]);
  });
});
